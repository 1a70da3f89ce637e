package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
	"github.com/moby/patternmatcher"
)

// copying is a COPY or an ADD.
type copying struct {
	instructions.SourcesAndDest
	from, chown, chmod, checksum, text string
	parents, adds                      bool
	exclude                            []string
}

// work is a copying with all that was looked up for it.
type work struct {
	copying
	source  *folder
	items   []item
	remote  []remoteFile
	exclude *patternmatcher.PatternMatcher
	// Where it goes, and whether that is a folder.
	target   string
	isFolder bool
	owner    owner
	mode     *fs.FileMode
}

func (s *stage) copy(c copying) error {
	w := work{copying: c, source: s.context}
	var err error
	if w.exclude, err = patternmatcher.New(c.exclude); err != nil {
		return fmt.Errorf("%s: %w", c.text, err)
	}
	parts := []string{c.text}
	if c.from != "" {
		key := ""
		if w.source, key, err = s.sourceOf(c.from); err != nil {
			return fmt.Errorf("%s: %w", c.text, err)
		}
		parts = append(parts, key)
	}
	for _, source := range c.SourcePaths {
		if c.adds && isURL(source) {
			file, err := fetch(s.ctx, source, c.checksum)
			if err != nil {
				return fmt.Errorf("%s: %w", c.text, err)
			}
			w.remote = append(w.remote, file)
			parts = append(parts, file.digest)
			continue
		}
		found, err := w.source.find(source)
		if err != nil {
			return fmt.Errorf("%s: %w", c.text, err)
		}
		w.items = append(w.items, inOrder(found)...)
	}
	if c.from == "" {
		digest, err := w.source.digest(w.items, w.exclude)
		if err != nil {
			return err
		}
		parts = append(parts, digest)
	}
	for _, content := range c.SourceContents {
		parts = append(parts, content.Path, content.Data)
	}
	many := len(w.items)+len(w.remote)+len(c.SourceContents) > 1
	w.isFolder = strings.HasSuffix(c.DestPath, "/") || c.DestPath == "." || strings.HasSuffix(c.DestPath, "/.")
	if many && !w.isFolder && !c.parents {
		return fmt.Errorf("%s: when using COPY or ADD with more than one source, the destination must be a folder and end with a /", c.text)
	}
	s.mix(parts...)
	return s.keep(c.text, s.options.cacheCopies, func() error { return s.carry(w) })
}

// sourceOf finds what --from names: a stage before, or an image.
func (s *stage) sourceOf(name string) (*folder, string, error) {
	if at, is := s.stageOf(name, s.number); is {
		return &folder{root: s.folders[strconv.Itoa(at)]}, s.keys[at], nil
	}
	image, err := s.registries.pull(name, "")
	if err != nil {
		return nil, "", err
	}
	digest, err := image.Digest()
	if err != nil {
		return nil, "", err
	}
	root, there := s.folders[digest.String()]
	if !there {
		root = fmt.Sprintf("%s/image-%d", workFolder, len(s.folders))
		layers, err := image.Layers()
		if err != nil {
			return nil, "", err
		}
		if err := (unpacker{root: root}).unpackAll(layers); err != nil {
			return nil, "", err
		}
		s.folders[digest.String()] = root
	}
	return &folder{root: root}, digest.String(), nil
}

func (s *stage) carry(w work) error {
	var err error
	if w.owner, err = s.ownerOf(w.chown); err != nil {
		return err
	}
	if w.chmod != "" {
		number, err := strconv.ParseUint(w.chmod, 8, 12)
		if err != nil {
			return fmt.Errorf("--chmod=%s: expected an octal number, as 755", w.chmod)
		}
		mode := fs.FileMode(number & 0o777)
		w.mode = &mode
	}
	if w.target, err = resolve("/", s.absolute(w.DestPath), true); err != nil {
		return err
	}
	if info, err := os.Stat(w.target); err == nil && info.IsDir() {
		w.isFolder = true
	}
	for _, from := range w.items {
		if err := s.carryItem(w, from); err != nil {
			return err
		}
	}
	for _, file := range w.remote {
		place, err := w.place(file.name)
		if err != nil {
			return err
		}
		if err := putFile(place, file.content, 0o600, file.modified, w); err != nil {
			return err
		}
	}
	for _, content := range w.SourceContents {
		data := content.Data
		if content.Expand {
			// Quotes are part of the text.
			raw := shell.NewLex('\\')
			raw.RawQuotes = true
			if data, _, err = raw.ProcessWord(data, shell.EnvsFromSlice(s.env())); err != nil {
				return err
			}
		}
		place, err := w.place(content.Path)
		if err != nil {
			return err
		}
		if err := putFile(place, []byte(data), 0o644, time.Now(), w); err != nil {
			return err
		}
	}
	return nil
}

// place is where a file of this name goes, with the folder made that it is in.
func (w work) place(name string) (string, error) {
	place := w.target
	if w.isFolder {
		place = path.Join(w.target, path.Base(name))
	}
	return place, makeFolders(path.Dir(place), w.owner)
}

func (s *stage) carryItem(w work, from item) error {
	if w.adds && from.info.Mode().IsRegular() {
		archive, err := archiveIn(from.place)
		if err != nil {
			return fmt.Errorf("%s: %w", from.name, err)
		}
		if archive != nil {
			defer archive.Close()
			if err := makeFolders(w.target, w.owner); err != nil {
				return err
			}
			var all *owner
			if w.chown != "" {
				all = &w.owner
			}
			return unpacker{root: w.target, ignored: s.ignored}.tar(archive, all, false)
		}
	}
	target := w.target
	if w.parents {
		target = path.Join(w.target, from.name)
	} else if !from.info.IsDir() {
		place, err := w.place(from.name)
		if err != nil {
			return err
		}
		target = place
	}
	return w.source.walk(from, w.exclude, func(relative string, each item) error {
		return s.carryOne(w, each, path.Join(target, relative))
	})
}

func (s *stage) carryOne(w work, each item, place string) error {
	if s.ignored.has(place) {
		return nil
	}
	info := each.info
	if info.IsDir() {
		made := false
		if there, err := os.Stat(place); err != nil || !there.IsDir() {
			if err := makeFolders(place, w.owner); err != nil {
				return err
			}
			made = true
		}
		if !made {
			return nil
		}
		// Without the bit by which a storage hands its group on.
		return w.finish(place, info.Mode().Perm()|info.Mode()&fs.ModeSticky, info.ModTime())
	}
	if err := makeFolders(path.Dir(place), w.owner); err != nil {
		return err
	}
	if there, err := os.Lstat(place); err == nil {
		if there.IsDir() {
			return fmt.Errorf("%s is a folder: a file cannot take its place", place)
		}
		if err := os.Remove(place); err != nil {
			return err
		}
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(each.place)
		if err != nil {
			return err
		}
		if err := os.Symlink(target, place); err != nil {
			return err
		}
		return errors.Join(os.Lchown(place, w.owner.uid, w.owner.gid), times(place, info.ModTime()))
	case info.Mode().IsRegular():
		file, err := os.Open(each.place)
		if err != nil {
			return err
		}
		defer file.Close()
		if err := writeContent(place, file); err != nil {
			return err
		}
		return w.finish(place, info.Mode(), info.ModTime())
	}
	return nil
}

// finish gives a new file its owner, its mode and its time.
func (w work) finish(place string, mode fs.FileMode, modified time.Time) error {
	if w.mode != nil {
		mode = *w.mode
	}
	if err := os.Lchown(place, w.owner.uid, w.owner.gid); err != nil {
		return err
	}
	if err := os.Chmod(place, mode); err != nil {
		return err
	}
	return times(place, modified)
}

func putFile(place string, content []byte, mode fs.FileMode, modified time.Time, w work) error {
	if err := os.RemoveAll(place); err != nil {
		return err
	}
	if err := writeContent(place, bytes.NewReader(content)); err != nil {
		return err
	}
	return w.finish(place, mode, modified)
}
