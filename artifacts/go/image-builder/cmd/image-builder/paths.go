package main

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

// Of the builder alone, in the container's root folder.
const (
	ownFolder  = "/kaniko"
	workFolder = "/kaniko/.work"
)

// A chain of links that is longer has no end.
const maxLinks = 255

// ignored are folders and files that no layer has and that nothing removes: the kernel's, the builder's, and what is mounted.
type ignored []string

func readIgnored(o *options) (ignored, error) {
	all := map[string]bool{ownFolder: true, "/proc": true, "/sys": true, "/dev": true}
	for _, each := range o.ignored {
		all[path.Clean("/"+each)] = true
	}
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		fields := strings.Fields(line)
		if len(fields) > 4 && fields[4] != "/" {
			all[unescape(fields[4])] = true
		}
	}
	list := make(ignored, 0, len(all))
	for each := range all {
		list = append(list, each)
	}
	sort.Strings(list)
	return list, nil
}

// unescape reads a name as mountinfo has it: blanks and the like are \ and three octal digits.
func unescape(text string) string {
	var out strings.Builder
	for at := 0; at < len(text); at++ {
		if text[at] == '\\' && at+3 < len(text) {
			value := 0
			for _, digit := range text[at+1 : at+4] {
				value = value*8 + int(digit-'0')
			}
			out.WriteByte(byte(value))
			at += 3
			continue
		}
		out.WriteByte(text[at])
	}
	return out.String()
}

// has says whether a path is one of these or below one.
func (list ignored) has(name string) bool {
	for _, each := range list {
		if name == each || strings.HasPrefix(name, each+"/") {
			return true
		}
	}
	return false
}

// below says whether one of these is below a path.
func (list ignored) below(name string) bool {
	prefix := strings.TrimSuffix(name, "/") + "/"
	for _, each := range list {
		if strings.HasPrefix(each, prefix) {
			return true
		}
	}
	return false
}

// resolve follows links as if root were the root folder, so that none leads out of it. The last part is followed if last is true. What is
// not there is taken as it is.
func resolve(root, name string, last bool) (string, error) {
	rest := strings.Split(path.Clean("/"+name), "/")[1:]
	at := "/"
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		if len(rest) == 0 && !last {
			return filepath.Join(root, next), nil
		}
		target, err := os.Readlink(filepath.Join(root, next))
		if err != nil {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &os.PathError{Op: "resolve", Path: name, Err: syscall.ELOOP}
		}
		if strings.HasPrefix(target, "/") {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return filepath.Join(root, at), nil
}

// clear removes all but what is ignored. With a folder it moves it there instead.
func (list ignored) clear(at, into string) error {
	entries, err := os.ReadDir(at)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := path.Join(at, entry.Name())
		if list.has(name) {
			continue
		}
		target := ""
		if into != "" {
			target = path.Join(into, entry.Name())
		}
		switch {
		case list.below(name):
			if target != "" {
				if err := sameFolder(name, target); err != nil {
					return err
				}
			}
			err = list.clear(name, target)
		case target != "":
			err = os.Rename(name, target)
		default:
			err = os.RemoveAll(name)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sameFolder makes a folder with the rights of another.
func sameFolder(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	if err := os.Lchown(to, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode())
}

// makeFolders makes a folder and those above it, where they are not there.
func makeFolders(place string, owner owner) error {
	info, err := os.Stat(place)
	if err == nil {
		if info.IsDir() {
			return nil
		}
		return &os.PathError{Op: "mkdir", Path: place, Err: syscall.ENOTDIR}
	}
	if err := makeFolders(path.Dir(place), owner); err != nil {
		return err
	}
	if err := os.Mkdir(place, 0o755); err != nil {
		return err
	}
	return os.Lchown(place, owner.uid, owner.gid)
}
