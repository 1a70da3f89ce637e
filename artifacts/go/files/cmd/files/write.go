package main

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"regexp"
	"strconv"

	"golang.org/x/sys/unix"
)

// create is CREATE: the whole body takes the place of what has the name, at once, when all of it is there. A link is replaced, not
// what it leads to.
func (f *front) create(asked *task) error {
	parent, name, err := f.files.parent(asked.at)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	var before unix.Stat_t
	there := unix.Fstatat(parent, name, &before, unix.AT_SYMLINK_NOFOLLOW) == nil
	if there && before.Mode&unix.S_IFMT == unix.S_IFDIR {
		return unix.EISDIR
	}
	room := f.usage.room(asked.may)
	if asked.ContentLength > room {
		return overQuota(asked.may)
	}
	file, temporary, err := f.files.upload()
	if err != nil {
		return err
	}
	defer file.Close()
	placed := false
	defer func() {
		if !placed {
			_ = unix.Unlinkat(f.files.uploads, temporary, 0)
		}
	}()
	length, err := asked.take(func(piece []byte) error {
		if room -= int64(len(piece)); room < 0 {
			return overQuota(asked.may)
		}
		return writeAll(file, piece)
	})
	if err != nil {
		return err
	}
	if there && before.Mode&unix.S_IFMT == unix.S_IFREG {
		// What can be run can be run still.
		_ = unix.Fchmod(int(file.Fd()), before.Mode&0o777|0o660)
	}
	if err := unix.Renameat(f.files.uploads, temporary, parent, name); err != nil {
		return err
	}
	placed = true
	f.usage.added(asked.may, length)
	asked.writer.WriteHeader(http.StatusCreated)
	return nil
}

func writeAll(file *os.File, piece []byte) error {
	_, err := file.Write(piece)
	return err
}

var contentRange = regexp.MustCompile(`^bytes (\d{1,19})-(\d{1,19})/(?:\*|\d{1,19})$`)

// write is WRITE: bytes at an offset of a file that is there. The same request again does the same.
func (f *front) write(asked *task) error {
	from, length, err := readContentRange(asked.Header.Get("Content-Range"))
	if err != nil {
		return err
	}
	if asked.ContentLength >= 0 && asked.ContentLength != length {
		return badRange(fmt.Sprintf("the range has %d bytes, and the body %d", length, asked.ContentLength))
	}
	if asked.at.isProject() {
		return unix.EISDIR
	}
	fd, err := f.files.openFile(asked.at, unix.O_WRONLY)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "file")
	defer file.Close()
	if length > f.usage.room(asked.may) {
		return overQuota(asked.may)
	}
	at := from
	_, err = asked.take(func(piece []byte) error {
		if at+int64(len(piece)) > from+length {
			return badRange("the body is longer than its range")
		}
		if _, err := file.WriteAt(piece, at); err != nil {
			return err
		}
		at += int64(len(piece))
		return nil
	})
	f.usage.added(asked.may, at-from)
	if err != nil {
		return err
	}
	if at != from+length {
		return badRange("the body is shorter than its range")
	}
	asked.writer.WriteHeader(http.StatusOK)
	return nil
}

func readContentRange(text string) (from, length int64, err error) {
	parts := contentRange.FindStringSubmatch(text)
	if parts == nil {
		return 0, 0, badRange(fmt.Sprintf("expected Content-Range: bytes FIRST-LAST/*, found %q", text))
	}
	from, first := strconv.ParseInt(parts[1], 10, 64)
	last, second := strconv.ParseInt(parts[2], 10, 64)
	if first != nil || second != nil || last < from || last == math.MaxInt64 {
		return 0, 0, badRange(fmt.Sprintf("%q is no range", text))
	}
	return from, last - from + 1, nil
}

func badRange(text string) error { return &failure{http.StatusBadRequest, "", text} }

func overQuota(may access) error {
	text := fmt.Sprintf("project %s/%s has no room left for this", may.Org, may.Project)
	for _, of := range []struct {
		name  string
		limit *int64
	}{{"its files", may.Limit}, {"all files of its organization", may.OrgLimit}} {
		if of.limit != nil {
			text += fmt.Sprintf("; %s may take %d MiB", of.name, *of.limit>>20)
		}
	}
	return &failure{http.StatusBadRequest, "EDQUOT", text + "; remove some, or ask the administrator to raise quota.files in delos.yaml"}
}

// makeFolders is MKDIRS: the folder and those above it, where there are none.
func (f *front) makeFolders(asked *task) error {
	project, err := f.files.project(asked.at.org, asked.at.project)
	if err != nil {
		return err
	}
	defer unix.Close(project)
	if err := makeBelow(project, asked.at.names); err != nil {
		return err
	}
	asked.writer.WriteHeader(http.StatusCreated)
	return nil
}

func makeBelow(project int, names []string) error {
	fd, err := openBeneath(project, below(names), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err == nil {
		return unix.Close(fd)
	}
	if err == unix.ENOTDIR {
		return notFolder(project, names)
	}
	if err != unix.ENOENT {
		return err
	}
	last := len(names) - 1
	if last < 0 {
		return err
	}
	if err := makeBelow(project, names[:last]); err != nil {
		return err
	}
	parent, err := openBeneath(project, below(names[:last]), unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	err = unix.Mkdirat(parent, names[last], folderMode&0o777)
	if err != unix.EEXIST {
		return err
	}
	// Somebody else has made it just now, or it is a link that leads nowhere.
	fd, err = openBeneath(parent, names[last], unix.O_PATH|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return unix.EEXIST
	}
	return unix.Close(fd)
}

// notFolder tells a file that has the name itself from one on the way to it.
func notFolder(project int, names []string) error {
	fd, err := openBeneath(project, below(names), unix.O_PATH, 0)
	if err != nil {
		return unix.ENOTDIR
	}
	_ = unix.Close(fd)
	return unix.EEXIST
}
