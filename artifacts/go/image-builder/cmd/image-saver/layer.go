package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"sort"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
const whiteout = ".wh."

// changes writes what a container has changed as a layer of an image.
type changes struct {
	ctx context.Context
	*container
	out *tar.Writer
	// First name of a file that has several, by its inode.
	links map[uint64]string
}

func writeChanges(ctx context.Context, c *container, out io.Writer) error {
	w := &changes{ctx: ctx, container: c, out: tar.NewWriter(out), links: map[uint64]string{}}
	if err := w.folder("."); err != nil {
		return err
	}
	return w.out.Close()
}

// folder writes what has changed in a folder: names that its image has and the container has not, then what it has itself.
func (w *changes) folder(folder string) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	now, err := names(w.merged, folder)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, name := range w.removed(folder, now) {
		header := &tar.Header{Name: path.Join(folder, whiteout+name), Typeflag: tar.TypeReg, Mode: 0o600}
		if err := w.out.WriteHeader(header); err != nil {
			return err
		}
	}
	changed, err := names(w.upper, folder)
	if err != nil && !gone(err) {
		return err
	}
	for _, name := range sorted(changed) {
		// A name of this form would say something else in a layer.
		if !now[name] || strings.HasPrefix(name, whiteout) {
			continue
		}
		if err := w.entry(path.Join(folder, name)); err != nil && !gone(err) {
			return fmt.Errorf("/%s: %w", path.Join(folder, name), err)
		}
	}
	return nil
}

// removed are names of a folder that a layer of the image has, and the container has not. Whether a folder hides those of
// former layers is said by an attribute that root of the whole machine alone may read; so what is seen is compared.
func (w *changes) removed(folder string, now map[string]bool) []string {
	had := map[string]bool{}
	for _, layer := range w.lower {
		there, err := names(layer, folder)
		if err != nil {
			continue
		}
		for name := range there {
			if !now[name] {
				had[name] = true
			}
		}
	}
	return sorted(had)
}

func (w *changes) entry(name string) error {
	info, err := w.merged.Lstat(name)
	if err != nil {
		return err
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known || info.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = w.merged.Readlink(name); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Name, header.Uname, header.Gname = name, "", ""
	header.Uid, header.Gid = int(stat.Uid), int(stat.Gid)
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.Format = tar.FormatPAX
	switch {
	case info.IsDir():
		header.Name += "/"
		if err := w.out.WriteHeader(header); err != nil {
			return err
		}
		return w.folder(name)
	case info.Mode().IsRegular():
		return w.file(name, header, stat)
	default:
		return w.out.WriteHeader(header)
	}
}

func (w *changes) file(name string, header *tar.Header, stat *syscall.Stat_t) error {
	if stat.Nlink > 1 {
		if first, there := w.links[stat.Ino]; there {
			header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
			return w.out.WriteHeader(header)
		}
	}
	file, err := w.merged.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	header.Size = info.Size()
	if rights := attribute(file, "security.capability"); rights != "" {
		header.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": rights}
	}
	if err := w.out.WriteHeader(header); err != nil {
		return err
	}
	w.links[stat.Ino] = name
	// A file that is written meanwhile is as long as it was when it was looked at.
	read, err := io.Copy(w.out, &halting{w.ctx, io.LimitReader(file, header.Size)})
	if err == nil && read < header.Size {
		_, err = io.CopyN(w.out, zeros{}, header.Size-read)
	}
	return err
}

func attribute(file *os.File, name string) string {
	value := make([]byte, 256)
	size, err := unix.Fgetxattr(int(file.Fd()), name, value)
	if err != nil {
		return ""
	}
	return string(value[:size])
}

// names of a folder that are there: an overlay marks what is not by a device 0/0.
func names(root *os.Root, folder string) (map[string]bool, error) {
	info, err := root.Lstat(folder)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fs.ErrNotExist
	}
	opened, err := root.OpenFile(folder, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	entries, err := opened.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	found := make(map[string]bool, len(entries))
	for _, entry := range entries {
		if entry.Type()&fs.ModeCharDevice != 0 {
			info, err := root.Lstat(path.Join(folder, entry.Name()))
			if err != nil {
				continue
			}
			if stat, known := info.Sys().(*syscall.Stat_t); known && stat.Rdev == 0 {
				continue
			}
		}
		found[entry.Name()] = true
	}
	return found, nil
}

// gone says whether what was there a moment ago is not: a container goes on while it is read.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

func sorted(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for name := range set {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

type zeros struct{}

func (zeros) Read(into []byte) (int, error) {
	clear(into)
	return len(into), nil
}

// halting ends a read when whoever asked has gone.
type halting struct {
	ctx  context.Context
	from io.Reader
}

func (h *halting) Read(into []byte) (int, error) {
	if err := h.ctx.Err(); err != nil {
		return 0, err
	}
	return h.from.Read(into)
}
