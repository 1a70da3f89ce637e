package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// Folders that are removed with all that is in them, at once.
	maxDeletes = 8
	// One in another: each takes a descriptor.
	maxDepth = 1024
)

type removed struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
}

// remove is DELETE. What is removed with a folder is told as it goes. Of a project's own folder, what is in it goes.
func (f *front) remove(asked *task) error {
	recursive := strings.EqualFold(asked.URL.Query().Get("recursive"), "true")
	defer f.usage.look(asked.may)
	out := &removals{lines: newLines(asked)}
	if asked.at.isProject() {
		if !recursive {
			return unix.EISDIR
		}
		folder, err := f.files.openFolder(asked.at)
		if err != nil {
			return err
		}
		return f.removeTree(asked, out, folder, nil)
	}
	parent, name, err := f.files.parent(asked.at)
	if err != nil {
		return err
	}
	defer unix.Close(parent)
	var stat unix.Stat_t
	if err := unix.Fstatat(parent, name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if stat.Mode&unix.S_IFMT == unix.S_IFDIR {
		if !recursive {
			return unix.EISDIR
		}
		fd, err := openNamed(parent, name)
		if err != nil {
			return err
		}
		return f.removeTree(asked, out, os.NewFile(uintptr(fd), name), func() error {
			return unix.Unlinkat(parent, name, unix.AT_REMOVEDIR)
		})
	}
	if err := unix.Unlinkat(parent, name, 0); err != nil {
		return err
	}
	return out.end(out.tell(asked.at.path(), false), asked.at)
}

// removeTree removes what is in a folder, and then by `last` the folder.
func (f *front) removeTree(asked *task, out *removals, folder *os.File, last func() error) error {
	defer folder.Close()
	select {
	case f.deletes <- struct{}{}:
		defer func() { <-f.deletes }()
	case <-asked.Context().Done():
		return asked.Context().Err()
	}
	err := out.empty(asked, folder, asked.at.path(), 0)
	if err == nil && last != nil {
		if err = last(); err == nil {
			err = out.tell(asked.at.path(), true)
		}
	}
	return out.end(err, asked.at)
}

// removals tells what was removed.
type removals struct {
	lines *lines
}

func (r *removals) tell(path string, isDir bool) error {
	if r.lines.plain {
		return nil
	}
	return r.lines.add(removed{path, isDir}, nil)
}

func (r *removals) end(err error, at place) error {
	if err != nil {
		return r.lines.fail(err, at)
	}
	if r.lines.plain {
		r.lines.asked.writer.WriteHeader(http.StatusNoContent)
		return nil
	}
	return r.lines.end()
}

// empty removes all that is in a folder, by its descriptor: nothing that is moved or linked meanwhile leads it elsewhere.
func (r *removals) empty(asked *task, folder *os.File, path string, depth int) error {
	if depth > maxDepth {
		return unix.ENAMETOOLONG
	}
	at := int(folder.Fd())
	for {
		found := 0
		for {
			names, err := folder.Readdirnames(namesAtOnce)
			if asked.Context().Err() != nil {
				return asked.Context().Err()
			}
			for _, name := range names {
				found++
				if err := r.removeName(asked, at, name, path+"/"+name, depth); err != nil {
					return err
				}
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		// A file system may leave out names while others go, and somebody may have made more.
		if found == 0 {
			return nil
		}
		if _, err := folder.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

func (r *removals) removeName(asked *task, at int, name, path string, depth int) error {
	err := unix.Unlinkat(at, name, 0)
	if err == nil {
		return r.tell(path, false)
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return err
	}
	fd, open := openNamed(at, name)
	if open != nil {
		if errors.Is(open, unix.ENOENT) {
			return nil
		}
		if errors.Is(open, unix.ENOTDIR) {
			return err
		}
		return open
	}
	below := os.NewFile(uintptr(fd), name)
	defer below.Close()
	if err := r.empty(asked, below, path, depth+1); err != nil {
		return err
	}
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		// Somebody has made something in it just now.
		return err
	}
	return r.tell(path, true)
}

// openNamed opens the folder of this name itself, and none that a link leads to.
func openNamed(at int, name string) (int, error) {
	return unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// rename is RENAME: within a project, or to another one that the caller may write to as well.
func (f *front) rename(asked *task) error {
	given := asked.URL.Query().Get("destination")
	to, err := parsePlain(given)
	if err != nil {
		return err
	}
	if !to.inProject() {
		return &failure{http.StatusBadRequest, "", "expected ?destination=/ORG/PROJECT/PATH"}
	}
	may := asked.may
	if to.org != asked.at.org || to.project != asked.at.project {
		who, err := f.rights.of(asked.Request, to.org, to.project)
		if err != nil {
			return err
		}
		if len(who.Projects) == 0 {
			return noSuch(place{org: to.org, project: to.project})
		}
		may = who.Projects[0]
		if err := mayWrite(who.User, may); err != nil {
			return err
		}
		if f.usage.room(may) <= 0 {
			return overQuota(may)
		}
	}
	from, name, err := f.files.parent(asked.at)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	into, newName, err := f.files.parent(to)
	if errors.Is(err, unix.EBUSY) {
		return unix.EEXIST
	}
	if errors.Is(err, unix.ENOENT) {
		return &failure{http.StatusNotFound, "", "there is no folder to move it to: " + to.path()}
	}
	if err != nil {
		return err
	}
	defer unix.Close(into)
	if err := unix.Renameat(from, name, into, newName); err != nil {
		return err
	}
	f.usage.look(asked.may)
	f.usage.look(may)
	asked.writer.WriteHeader(http.StatusNoContent)
	return nil
}
