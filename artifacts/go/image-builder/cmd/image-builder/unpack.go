package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"
)

const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	xattrs   = "SCHILY.xattr."
)

// unpacker puts layers into a folder, one upon the other.
type unpacker struct {
	root    string
	ignored ignored
}

func (u unpacker) layer(layer v1.Layer) error {
	content, err := layer.Uncompressed()
	if err != nil {
		return err
	}
	defer content.Close()
	return u.tar(content, nil, true)
}

// tar unpacks a stream. @param owner of all that is unpacked; nil: as the stream says
// @param isLayer whether some names say what is gone
func (u unpacker) tar(content io.Reader, owner *owner, isLayer bool) error {
	reader := tar.NewReader(content)
	made := map[string]bool{}
	folders := map[string]*tar.Header{}
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if owner != nil {
			header.Uid, header.Gid = owner.uid, owner.gid
		}
		name := path.Clean("/" + header.Name)
		if name == "/" {
			continue
		}
		place, err := resolve(u.root, name, false)
		if err != nil {
			return err
		}
		if u.isIgnored(place) {
			continue
		}
		base := path.Base(name)
		if isLayer && strings.HasPrefix(base, whiteout) {
			err = u.whiteout(place, base, made)
		} else {
			err = u.entry(reader, header, place)
			made[place] = true
			if header.Typeflag == tar.TypeDir {
				folders[place] = header
			}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for place, header := range folders {
		if err := times(place, header.ModTime); err != nil {
			return err
		}
	}
	return nil
}

func (u unpacker) isIgnored(place string) bool {
	return u.root == "/" && u.ignored.has(place)
}

// whiteout takes away what the layers below had.
func (u unpacker) whiteout(place, base string, made map[string]bool) error {
	folder := path.Dir(place)
	if base != opaque {
		gone := path.Join(folder, strings.TrimPrefix(base, whiteout))
		if u.isIgnored(gone) || (u.root == "/" && u.ignored.below(gone)) {
			return nil
		}
		return os.RemoveAll(gone)
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		gone := path.Join(folder, entry.Name())
		if made[gone] || u.isIgnored(gone) || (u.root == "/" && u.ignored.below(gone)) {
			continue
		}
		if err := os.RemoveAll(gone); err != nil {
			return err
		}
	}
	return nil
}

func (u unpacker) entry(content io.Reader, header *tar.Header, place string) error {
	if err := os.MkdirAll(path.Dir(place), 0o755); err != nil {
		return err
	}
	there, err := os.Lstat(place)
	if err == nil && !(there.IsDir() && header.Typeflag == tar.TypeDir) {
		if u.root == "/" && u.ignored.below(place) {
			return nil
		}
		if err := os.RemoveAll(place); err != nil {
			return err
		}
	}
	mode := header.FileInfo().Mode()
	switch header.Typeflag {
	case tar.TypeDir:
		err = os.MkdirAll(place, 0o755)
	case tar.TypeReg:
		err = writeContent(place, content)
	case tar.TypeSymlink:
		err = os.Symlink(header.Linkname, place)
	case tar.TypeLink:
		var target string
		if target, err = resolve(u.root, header.Linkname, false); err == nil {
			err = os.Link(target, place)
		}
		// Owner, mode and time are those of the file that it is.
		return err
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		kind := map[byte]uint32{tar.TypeChar: unix.S_IFCHR, tar.TypeBlock: unix.S_IFBLK, tar.TypeFifo: unix.S_IFIFO}[header.Typeflag]
		err = unix.Mknod(place, kind|uint32(mode.Perm()), int(unix.Mkdev(uint32(header.Devmajor), uint32(header.Devminor))))
		if errors.Is(err, unix.EPERM) {
			log.debug("Device %s is left out: a container makes none", place)
			return nil
		}
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Lchown(place, header.Uid, header.Gid); err != nil {
		return err
	}
	if header.Typeflag != tar.TypeSymlink {
		// After the owner: a change of that takes the bits of setuid away.
		if err := os.Chmod(place, mode); err != nil {
			return err
		}
	}
	for key, value := range header.PAXRecords {
		attribute, is := strings.CutPrefix(key, xattrs)
		if !is {
			continue
		}
		// Some need rights that a container lacks, as labels of SELinux.
		if err := unix.Lsetxattr(place, attribute, []byte(value), 0); err != nil {
			log.debug("%s has no attribute %s: %v", place, attribute, err)
		}
	}
	return times(place, header.ModTime)
}

func writeContent(place string, content io.Reader) error {
	file, err := os.OpenFile(place, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

func times(place string, at time.Time) error {
	spec := unix.NsecToTimespec(at.UnixNano())
	err := unix.UtimesNanoAt(unix.AT_FDCWD, place, []unix.Timespec{spec, spec}, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// unpackAll puts the whole of an image into a folder.
func (u unpacker) unpackAll(layers []v1.Layer) error {
	if err := os.MkdirAll(filepath.Clean(u.root), 0o755); err != nil {
		return err
	}
	for _, layer := range layers {
		if err := u.layer(layer); err != nil {
			return err
		}
	}
	return nil
}
