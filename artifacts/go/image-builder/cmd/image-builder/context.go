package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// folder is what files are copied from: the context of the build, or what a stage or an image has.
type folder struct {
	root string
	// What .dockerignore leaves out; nil: nothing.
	without *patternmatcher.PatternMatcher
}

func openContext(root, dockerfile string) (*folder, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, fmt.Errorf("the context of the build: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("the context of the build, %s, is no folder", root)
	}
	for _, name := range []string{dockerfile + ".dockerignore", filepath.Join(root, ".dockerignore")} {
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		patterns, err := ignorefile.ReadAll(file)
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		log.info("Using dockerignore file: %s", name)
		without, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return &folder{root, without}, nil
	}
	return &folder{root, nil}, nil
}

// item is one file or folder to be copied.
type item struct {
	// Where it lies, and its name below the folder's root.
	place, name string
	info        fs.FileInfo
}

// find expands a pattern of COPY. The names that are found begin at the folder's root.
func (f *folder) find(pattern string) ([]item, error) {
	clean := path.Clean("/" + pattern)
	if !strings.ContainsAny(pattern, "*?[") {
		place, err := resolve(f.root, clean, true)
		if err != nil {
			return nil, err
		}
		info, err := os.Lstat(place)
		if err != nil || f.isLeftOut(clean) {
			return nil, fmt.Errorf("failed to get fileinfo for %s: no such file or directory", pattern)
		}
		return []item{{place, clean, info}}, nil
	}
	matches, err := filepath.Glob(filepath.Join(f.root, clean))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	var found []item
	for _, match := range matches {
		name := strings.TrimPrefix(match, strings.TrimSuffix(f.root, "/"))
		if f.isLeftOut(name) {
			continue
		}
		place, err := resolve(f.root, name, true)
		if err != nil {
			return nil, err
		}
		info, err := os.Lstat(place)
		if err != nil {
			return nil, err
		}
		found = append(found, item{place, name, info})
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no files found", pattern)
	}
	return found, nil
}

func (f *folder) isLeftOut(name string) bool {
	name = strings.TrimPrefix(name, "/")
	if f.without == nil || name == "" {
		return false
	}
	out, err := f.without.MatchesOrParentMatches(name)
	return err == nil && out
}

// walk visits what is below an item, and itself, in order. Names are relative to it.
func (f *folder) walk(from item, exclude *patternmatcher.PatternMatcher, visit func(relative string, each item) error) error {
	return filepath.WalkDir(from.place, func(place string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative := strings.TrimPrefix(strings.TrimPrefix(place, from.place), "/")
		name := path.Join(from.name, relative)
		left := relative != "" && f.isLeftOut(name)
		if !left && exclude != nil && relative != "" {
			left, err = exclude.MatchesOrParentMatches(strings.TrimPrefix(name, "/"))
			if err != nil {
				return err
			}
		}
		if left {
			// A pattern with ! may take in again what is below.
			if entry.IsDir() && (f.without == nil || !f.without.Exclusions()) {
				return fs.SkipDir
			}
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return visit(relative, item{place, name, info})
	})
}

// digest tells contents, names and modes apart.
func (f *folder) digest(items []item, exclude *patternmatcher.PatternMatcher) (string, error) {
	sum := sha256.New()
	for _, from := range items {
		err := f.walk(from, exclude, func(relative string, each item) error {
			fmt.Fprintf(sum, "%d\n%s%o\n", len(each.name), each.name, each.info.Mode()&(fs.ModePerm|fs.ModeType))
			switch {
			case each.info.Mode().IsRegular():
				fmt.Fprintf(sum, "%d\n", each.info.Size())
				return copyInto(sum, each.place)
			case each.info.Mode()&fs.ModeSymlink != 0:
				target, err := os.Readlink(each.place)
				fmt.Fprintf(sum, "%d\n%s", len(target), target)
				return err
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func copyInto(to io.Writer, place string) error {
	file, err := os.Open(place)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

// inOrder sorts items by their names.
func inOrder(items []item) []item {
	sort.SliceStable(items, func(a, b int) bool { return items[a].name < items[b].name })
	return items
}
