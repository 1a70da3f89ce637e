package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sys/unix"
)

// state is the root folder at one moment: what tells a changed file from one that is as it was.
type state map[string]meta

type meta struct {
	mode             fs.FileMode
	size             int64
	modified, change syscall.Timespec
	uid, gid         uint32
	inode, device    uint64
	links            uint64
}

// scan looks at all files but those that are ignored. It reads no contents: the kernel keeps the time of any change (ctime).
func scan(list ignored) (state, error) {
	found := state{}
	err := filepath.WalkDir("/", func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if list.has(name) {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if name == "/" {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		each := meta{
			mode: info.Mode(), size: stat.Size, modified: stat.Mtim, change: stat.Ctim,
			uid: stat.Uid, gid: stat.Gid, inode: stat.Ino, device: stat.Rdev, links: uint64(stat.Nlink),
		}
		if info.IsDir() {
			// What of a folder follows from what is in it.
			each.size, each.links, each.change, each.inode = 0, 0, syscall.Timespec{}, 0
		}
		found[name] = each
		return nil
	})
	return found, err
}

// changes are paths that are new or otherwise, and those that are gone, each in order.
func changes(before, after state) (changed, gone []string) {
	for name, now := range after {
		if was, there := before[name]; !there || was != now {
			changed = append(changed, name)
		}
	}
	for name := range before {
		if _, there := after[name]; there {
			continue
		}
		// A folder that is gone took what was in it with it; so did one that is a file now.
		if parent, there := after[path.Dir(name)]; path.Dir(name) == "/" || (there && parent.mode.IsDir()) {
			gone = append(gone, name)
		}
	}
	sort.Strings(changed)
	sort.Strings(gone)
	return changed, gone
}

// pack writes what changed as a layer. @returns nil where nothing did
func pack(before, after state, media types.MediaType, number int) (v1.Layer, error) {
	changed, gone := changes(before, after)
	if len(changed)+len(gone) == 0 {
		return nil, nil
	}
	file, err := os.Create(fmt.Sprintf("%s/layer-%d.tar.gz", workFolder, number))
	if err != nil {
		return nil, err
	}
	compressed, _ := gzip.NewWriterLevel(file, gzip.BestSpeed)
	writer := tar.NewWriter(compressed)
	for _, name := range gone {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: path.Join(path.Dir(name), whiteout+path.Base(name))[1:], Mode: 0o600}
		header.ModTime = time.Unix(0, 0)
		if err := writer.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	firsts := map[uint64]string{}
	for _, name := range changed {
		if err := add(writer, name, after[name], firsts); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := errors.Join(writer.Close(), compressed.Close(), file.Close()); err != nil {
		return nil, err
	}
	return tarball.LayerFromFile(file.Name(), tarball.WithMediaType(media))
}

func add(writer *tar.Writer, name string, is meta, firsts map[uint64]string) error {
	info, err := os.Lstat(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode()&fs.ModeSocket != 0 {
		return nil
	}
	target := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		if target, err = os.Readlink(name); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, target)
	if err != nil {
		return err
	}
	header.Format = tar.FormatPAX
	// Names of users are those of this program's own system, which has none.
	header.Uname, header.Gname = "", ""
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.Name = strings.TrimPrefix(name, "/")
	if info.IsDir() {
		header.Name += "/"
	}
	if info.Mode().IsRegular() && is.links > 1 {
		if first, there := firsts[is.inode]; there {
			header.Typeflag, header.Linkname, header.Size = tar.TypeLink, first, 0
			return writer.WriteHeader(header)
		}
		firsts[is.inode] = header.Name
	}
	if header.PAXRecords, err = attributes(name); err != nil {
		return err
	}
	if err := writer.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	return copyInto(writer, name)
}

// attributes reads those that belong to an image, as a file's capabilities.
func attributes(name string) (map[string]string, error) {
	size, err := unix.Llistxattr(name, nil)
	if err != nil || size == 0 {
		return nil, nil
	}
	list := make([]byte, size)
	if size, err = unix.Llistxattr(name, list); err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, attribute := range strings.Split(strings.TrimRight(string(list[:size]), "\x00"), "\x00") {
		if attribute != "security.capability" && !strings.HasPrefix(attribute, "user.") {
			continue
		}
		value := make([]byte, 1<<16)
		length, err := unix.Lgetxattr(name, attribute, value)
		if err != nil {
			return nil, err
		}
		found[xattrs+attribute] = string(value[:length])
	}
	return found, nil
}
