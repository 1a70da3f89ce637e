package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"

	"golang.org/x/sys/unix"
)

/*
 * Terminology: the *volume* has one folder ORG/PROJECT for each project, and one of ours, `.delos`, which no project can be named.
 * Jobs see the folder of their project and nothing above it.
 *
 * Jobs make symbolic links, and move things while we look at them. So no path is looked at first and opened then: the kernel
 * resolves each by openat2 from the project's own folder, and refuses what leads out of it.
 */

const (
	uploadsFolder = ".delos/uploads"
	// Owner and group alone, and what is made in it belongs to the group.
	folderMode = 0o2775
	fileMode   = 0o664
	// How often a path is resolved again that was moved meanwhile.
	tries = 100
)

// A name of an organization or project, as delos.yaml has it.
var nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

type volume struct {
	path string
	root int
	// Folder of what is being uploaded.
	uploads int
}

func openVolume(path string) (*volume, error) {
	root, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("the volume at %s cannot be opened: %w", path, err)
	}
	files := &volume{path: path, root: root}
	for _, name := range []string{".delos", uploadsFolder} {
		if err := files.makeOwn(root, name); err != nil {
			return nil, fmt.Errorf("the volume at %s cannot be written to: %w (its root has to belong to the group of this process, mode 2770)", path, err)
		}
	}
	files.uploads, err = openBeneath(root, uploadsFolder, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	return files, err
}

// openBeneath opens a path that stays in a folder, whatever links are on the way. More of resolve makes it stricter.
func openBeneath(folder int, path string, flags uint64, resolve uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS | resolve,
	}
	var err error
	for range tries {
		var fd int
		fd, err = unix.Openat2(folder, path, &how)
		if err == nil {
			return fd, nil
		}
		// EAGAIN: something was moved while the kernel was on its way, so that it cannot say where it is.
		if !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
			return -1, err
		}
	}
	return -1, err
}

// makeOwn makes a folder of ours where there is none: its group may do all, as may whoever makes something in it.
func (v *volume) makeOwn(at int, name string) error {
	err := unix.Mkdirat(at, name, folderMode&0o777)
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	fd, open := openBeneath(at, name, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if open != nil {
		return open
	}
	defer unix.Close(fd)
	if err != nil {
		return nil
	}
	if err := unix.Fchmod(fd, folderMode); err != nil {
		return err
	}
	return shareWithGroup(fd)
}

// project opens the folder of a project that the control API has named, and makes it where there is none yet.
func (v *volume) project(org, name string) (int, error) {
	if !nameForm.MatchString(org) || !nameForm.MatchString(name) {
		return -1, unix.ENOENT
	}
	path := org + "/" + name
	fd, err := openBeneath(v.root, path, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if !errors.Is(err, unix.ENOENT) {
		return fd, err
	}
	for _, folder := range []string{org, path} {
		if err := v.makeOwn(v.root, folder); err != nil {
			return -1, err
		}
	}
	return openBeneath(v.root, path, unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
}

// open opens what a path names in a project, by links in the project too. It may be anything: nothing happens to it yet.
func (v *volume) open(at place) (int, error) {
	project, err := v.project(at.org, at.project)
	if err != nil {
		return -1, err
	}
	defer unix.Close(project)
	return openBeneath(project, below(at.names), unix.O_PATH, 0)
}

// parent opens the folder that a path's last name is in.
func (v *volume) parent(at place) (int, string, error) {
	if len(at.names) == 0 {
		return -1, "", unix.EBUSY
	}
	project, err := v.project(at.org, at.project)
	if err != nil {
		return -1, "", err
	}
	defer unix.Close(project)
	last := len(at.names) - 1
	fd, err := openBeneath(project, below(at.names[:last]), unix.O_PATH|unix.O_DIRECTORY, 0)
	return fd, at.names[last], err
}

// reopened opens what a descriptor of O_PATH is of, for reading or writing: the very same thing, not what its path leads to by now.
func reopened(fd int, flags int) (int, error) {
	return unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// openFile opens a regular file. What a job has made of another kind (a pipe, a device) is not touched.
func (v *volume) openFile(at place, flags int) (int, error) {
	fd, err := v.open(at)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return -1, err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return reopened(fd, flags)
	case unix.S_IFDIR:
		return -1, unix.EISDIR
	}
	return -1, unix.EINVAL
}

// openFolder opens a folder for reading its names.
func (v *volume) openFolder(at place) (*os.File, error) {
	fd, err := v.open(at)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	opened, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(opened), "."), nil
}

// upload makes a file that nobody else sees, to be moved to its place when it is whole.
func (v *volume) upload() (*os.File, string, error) {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, "", err
	}
	name := hex.EncodeToString(random[:])
	fd, err := unix.Openat(v.uploads, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, fileMode)
	if err != nil {
		return nil, "", err
	}
	return os.NewFile(uintptr(fd), name), name, nil
}

// sweepUploads removes what a process before this one has not ended. There is but one at a time.
func (v *volume) sweepUploads() error {
	fd, err := unix.Openat(v.uploads, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	folder := os.NewFile(uintptr(fd), ".")
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	for _, name := range names {
		if err := unix.Unlinkat(v.uploads, name, 0); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return err
}

// there says whether the volume can be read.
func (v *volume) there() error {
	var stat unix.Stat_t
	return unix.Fstat(v.uploads, &stat)
}
