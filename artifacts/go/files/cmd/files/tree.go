package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// treePath is where the control API asks what files lie below a folder. As usagePath, it is not below the prefix of the public origin.
const treePath = "/tree"

const (
	// Files that one answer tells of at most, and names that are looked at for it.
	mostTold  = 20_000
	mostNames = 200_000
	// Looks under way at once. More wait, and are told to come again.
	treesAtOnce = 2
	treeTime    = 20 * time.Second
)

// toldFile is a path from the folder on, bytes, and the time of its last change in milliseconds since 1970.
type toldFile [3]any

type toldTree struct {
	Files []toldFile `json:"files"`
	// There are more than were asked for, or more names than are looked at.
	More bool `json:"more"`
	// When the look began, by this clock, which the files' times are of where the volume is this machine's.
	Now int64 `json:"now"`
}

// withTree answers the control API beside others. It asks for those who may read the project: that was judged there.
func withTree(others http.Handler, files *volume) http.Handler {
	slots := make(chan struct{}, treesAtOnce)
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.URL.Path != treePath {
			others.ServeHTTP(writer, request)
			return
		}
		ctx, done := context.WithTimeout(request.Context(), treeTime)
		defer done()
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			writer.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		query := request.URL.Query()
		most, err := strconv.Atoi(query.Get("most"))
		if err != nil || most < 1 || most > mostTold || !nameForm.MatchString(query.Get("org")) || !nameForm.MatchString(query.Get("project")) {
			writer.WriteHeader(http.StatusBadRequest)
			return
		}
		look := tree{ctx: ctx, most: most, told: toldTree{Files: []toldFile{}, Now: time.Now().UnixMilli()}}
		err = look.begin(files, query.Get("org")+"/"+query.Get("project"), query.Get("path"))
		if err != nil {
			writer.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(look.told)
	})
}

type tree struct {
	ctx   context.Context
	most  int
	names int
	told  toldTree
}

var errEnough = errors.New("enough")

// begin looks at a folder of a project, and at what is in it. Links are neither followed nor told. What is not there has no files.
func (t *tree) begin(files *volume, project, path string) error {
	fd, err := openBeneath(files.root, project, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	root := os.NewFile(uintptr(fd), project)
	for _, name := range strings.Split(path, "/") {
		if name == "" {
			continue
		}
		below, err := openBeneath(int(root.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
		_ = root.Close()
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EXDEV) {
			return nil
		}
		if err != nil {
			return err
		}
		root = os.NewFile(uintptr(below), name)
	}
	err = t.folder(root, "", 0)
	if errors.Is(err, errEnough) {
		t.told.More = true
		return nil
	}
	return err
}

func (t *tree) folder(folder *os.File, path string, depth int) error {
	defer folder.Close()
	if depth > maxDepth {
		return nil
	}
	at := int(folder.Fd())
	for {
		if err := t.ctx.Err(); err != nil {
			return err
		}
		names, err := folder.Readdirnames(namesAtOnce)
		for _, name := range names {
			if t.names++; t.names > mostNames {
				return errEnough
			}
			var stat unix.Stat_t
			if unix.Fstatat(at, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue
			}
			switch stat.Mode & unix.S_IFMT {
			case unix.S_IFREG:
				if len(t.told.Files) >= t.most {
					return errEnough
				}
				t.told.Files = append(t.told.Files, toldFile{path + name, stat.Size, stat.Mtim.Nano() / int64(time.Millisecond)})
			case unix.S_IFDIR:
				fd, err := openNamed(at, name)
				if err != nil {
					continue
				}
				if err := t.folder(os.NewFile(uintptr(fd), name), path+name+"/", depth+1); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
