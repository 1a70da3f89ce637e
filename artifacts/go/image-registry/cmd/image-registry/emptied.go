package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
)

// emptied takes away repositories that have had nothing for the grace: they would be listed for ever. Only empty folders are
// removed, each by itself, so that what a push writes meanwhile stays. A push into such a repository begins with an upload or a
// mount, which leave something there before its manifest comes.
func (s *sweep) emptied() error {
	return s.repositories(func(name string) error {
		files := s.guard.files
		has, err := files.hasAnything(name)
		if err != nil || has {
			return err
		}
		for _, folder := range []string{files.revisions(name), files.layers(name)} {
			at, err := modified(filepath.Join(folder, digest.Canonical.String()))
			if gone(err) {
				continue
			}
			if err != nil || !at.Before(s.old) {
				return err
			}
		}
		if err := digests(files.revisions(name), func(of digest.Digest) error {
			_ = os.Remove(filepath.Join(inFolder(files.revisions(name), of), untaggedFile))
			return nil
		}); err != nil {
			return err
		}
		for _, part := range []string{"_uploads", "_layers", "_manifests"} {
			if err := prune(filepath.Join(files.repository(name), part)); err != nil {
				return err
			}
		}
		// The project's own folder stays.
		for parent := name; strings.Count(parent, "/") >= 2; parent = filepath.Dir(parent) {
			if os.Remove(files.repository(parent)) != nil {
				return nil
			}
		}
		return nil
	})
}

// hasAnything says whether a repository has an image, a layer, a tag or an upload.
func (s store) hasAnything(name string) (bool, error) {
	found := false
	look := func(path string) error {
		_, err := os.Stat(path)
		found = found || err == nil
		if gone(err) {
			return nil
		}
		return err
	}
	for _, folder := range []string{s.layers(name), s.revisions(name)} {
		if err := digests(folder, func(of digest.Digest) error {
			return look(filepath.Join(inFolder(folder, of), linkFile))
		}); err != nil {
			return found, err
		}
	}
	thing := func(fs.DirEntry) error {
		found = true
		return nil
	}
	if err := entries(filepath.Join(s.repository(name), "_uploads"), thing); err != nil {
		return found, err
	}
	return found, entries(s.tags(name), thing)
}

// prune removes a folder and those in it, as far as they are empty.
func prune(folder string) error {
	err := entries(folder, func(entry fs.DirEntry) error {
		if !entry.IsDir() {
			return nil
		}
		return prune(filepath.Join(folder, entry.Name()))
	})
	_ = os.Remove(folder)
	return err
}
