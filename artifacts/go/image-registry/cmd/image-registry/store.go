package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// store is distribution's file system, by its paths.
//
// https://github.com/distribution/distribution/blob/v3.1.2/registry/storage/paths.go
type store struct{ root string }

const (
	base = "docker/registry/v2"
	// Entries of a folder that are in memory at once.
	atOnce   = 512
	linkFile = "link"
	dataFile = "data"
	// Beside the link of a manifest: since when it has no tag. Distribution passes it over.
	untaggedFile = "delos-untagged"
	maxManifest  = 4 << 20
)

func (s store) repositories() string { return filepath.Join(s.root, base, "repositories") }
func (s store) blobs() string        { return filepath.Join(s.root, base, "blobs") }

// own is where files lie that are not distribution's, on the same volume.
func (s store) own() string   { return filepath.Join(s.root, "delos") }
func (s store) trash() string { return filepath.Join(s.own(), "trash") }

func (s store) repository(name string) string { return filepath.Join(s.repositories(), name) }

func (s store) blob(of digest.Digest) string {
	return filepath.Join(s.blobs(), of.Algorithm().String(), of.Encoded()[:2], of.Encoded())
}

func inFolder(folder string, of digest.Digest) string {
	return filepath.Join(folder, of.Algorithm().String(), of.Encoded())
}
func (s store) layers(name string) string { return filepath.Join(s.repository(name), "_layers") }
func (s store) revisions(name string) string {
	return filepath.Join(s.repository(name), "_manifests", "revisions")
}
func (s store) tags(name string) string {
	return filepath.Join(s.repository(name), "_manifests", "tags")
}

// size of a blob; 0 where it is not there.
func (s store) size(of digest.Digest) (int64, error) {
	info, err := os.Stat(filepath.Join(s.blob(of), dataFile))
	if gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// touch says that a blob is in use now, so that a collection that has begun leaves it. It lasts through the end of the process.
func (s store) touch(name string, of digest.Digest, now time.Time) error {
	for _, path := range s.signs(name, of) {
		if err := os.Chtimes(path, now, now); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func modified(path string) (time.Time, error) {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

// entries calls for each entry of a folder, a few at a time. A folder that is not there is empty.
func entries(folder string, each func(fs.DirEntry) error) error {
	opened, err := os.Open(folder)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer opened.Close()
	for {
		some, err := opened.ReadDir(atOnce)
		for _, entry := range some {
			if err := each(entry); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) || gone(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// digests calls for each folder ALGORITHM/HEX below a folder.
func digests(folder string, each func(digest.Digest) error) error {
	return entries(folder, func(algorithm fs.DirEntry) error {
		return entries(filepath.Join(folder, algorithm.Name()), func(entry fs.DirEntry) error {
			of := digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), entry.Name())
			if of.Validate() != nil {
				return nil
			}
			return each(of)
		})
	})
}

// allBlobs calls for each blob of the store.
func (s store) allBlobs(each func(digest.Digest) error) error {
	return entries(s.blobs(), func(algorithm fs.DirEntry) error {
		folder := filepath.Join(s.blobs(), algorithm.Name())
		return entries(folder, func(prefix fs.DirEntry) error {
			return entries(filepath.Join(folder, prefix.Name()), func(entry fs.DirEntry) error {
				of := digest.NewDigestFromEncoded(digest.Algorithm(algorithm.Name()), entry.Name())
				if of.Validate() != nil {
					return nil
				}
				return each(of)
			})
		})
	})
}

// projects calls for each ORG/PROJECT that has a folder.
func (s store) projects(each func(project string) error) error {
	return entries(s.repositories(), func(org fs.DirEntry) error {
		if !org.IsDir() || strings.HasPrefix(org.Name(), "_") {
			return nil
		}
		return entries(filepath.Join(s.repositories(), org.Name()), func(project fs.DirEntry) error {
			if !project.IsDir() || strings.HasPrefix(project.Name(), "_") {
				return nil
			}
			return each(org.Name() + "/" + project.Name())
		})
	})
}

// below calls for each repository at this name and below it.
func (s store) below(name string, each func(repository string) error) error {
	is := false
	err := entries(s.repository(name), func(entry fs.DirEntry) error {
		switch {
		case !entry.IsDir():
			return nil
		case strings.HasPrefix(entry.Name(), "_"):
			is = true
			return nil
		}
		return s.below(filepath.Join(name, entry.Name()), each)
	})
	if err != nil || !is {
		return err
	}
	return each(name)
}

// readLink gives the digest in a link; empty where there is none. One that is cut off is none: it is written by a rename.
func readLink(path string) (digest.Digest, error) {
	text, err := os.ReadFile(path)
	if gone(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	of := digest.Digest(strings.TrimSpace(string(text)))
	if of.Validate() != nil {
		return "", nil
	}
	return of, nil
}

func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// projectOf gives the first two parts of a repository's name.
func projectOf(name string) string {
	parts := strings.SplitN(name, "/", 3)
	if len(parts) < 2 {
		return name
	}
	return parts[0] + "/" + parts[1]
}
