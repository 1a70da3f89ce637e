package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/opencontainers/go-digest"
)

// Whatever looks like a digest in a manifest counts as a reference: also what later versions of the format may say.
var digestForm = regexp.MustCompile(`sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}|sha384:[0-9a-f]{96}`)

func referencesIn(manifest []byte) []digest.Digest {
	seen := map[digest.Digest]bool{}
	found := []digest.Digest{}
	for _, text := range digestForm.FindAll(manifest, -1) {
		if of := digest.Digest(text); !seen[of] {
			seen[of] = true
			found = append(found, of)
		}
	}
	return found
}

// children are the manifests that an index names.
func children(manifest []byte) []digest.Digest {
	var index struct {
		Manifests []struct {
			Digest digest.Digest `json:"digest"`
		} `json:"manifests"`
	}
	if json.Unmarshal(manifest, &index) != nil {
		return nil
	}
	found := make([]digest.Digest, 0, len(index.Manifests))
	for _, each := range index.Manifests {
		found = append(found, each.Digest)
	}
	return found
}

// manifest reads a manifest; nil where its bytes are not there.
func (s store) manifest(of digest.Digest) ([]byte, error) {
	file, err := os.Open(filepath.Join(s.blob(of), dataFile))
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxManifest+1))
}

// errFull says that a set cannot hold all: the work is then done in more parts.
var errFull = errors.New("the set is full")

// digestSet holds the digests of one part of all.
type digestSet struct {
	part    part
	most    int
	members map[[32]byte]struct{}
}

type part struct{ nth, of uint32 }

func newSet(of part, most int) *digestSet {
	return &digestSet{part: of, most: most, members: map[[32]byte]struct{}{}}
}

func key(of digest.Digest) (key [32]byte) {
	_, _ = hex.Decode(key[:], []byte(of.Encoded())[:64])
	return key
}

func (p part) has(of digest.Digest) bool {
	k := key(of)
	return (uint32(k[0])<<16|uint32(k[1])<<8|uint32(k[2]))%p.of == p.nth
}

func (s *digestSet) add(of digest.Digest) error {
	if !s.part.has(of) {
		return nil
	}
	if len(s.members) >= s.most {
		return errFull
	}
	s.members[key(of)] = struct{}{}
	return nil
}

func (s *digestSet) has(of digest.Digest) bool {
	_, is := s.members[key(of)]
	return is
}

// inParts does the work once for each part of all digests, in as few parts as its sets have room for.
func inParts(begin func(), work func(part) error) error {
	for parts := uint32(1); ; parts *= 4 {
		begin()
		var err error
		for nth := uint32(0); nth < parts && err == nil; nth++ {
			err = work(part{nth, parts})
		}
		if !errors.Is(err, errFull) || parts > 1<<16 {
			return err
		}
	}
}

// mark calls for each blob that a manifest of the repository leads to, and for each manifest.
func (s store) mark(name string, found func(digest.Digest) error) error {
	return digests(s.revisions(name), func(of digest.Digest) error {
		link, err := readLink(filepath.Join(inFolder(s.revisions(name), of), linkFile))
		if err != nil || link == "" {
			return err
		}
		text, err := s.manifest(link)
		if err != nil {
			return err
		}
		for _, each := range append(referencesIn(text), of, link) {
			resolved, err := s.canonical(name, each)
			if err != nil {
				return err
			}
			for _, one := range resolved {
				if err := found(one); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// usage measures a project: its images, what was uploaded lately, and what is being uploaded. What was removed does not count,
// though it may still be there.
func (s store) usage(project string, grace time.Duration, most int) (usage, error) {
	var total usage
	fresh := time.Now().Add(-grace)
	err := inParts(func() { total = usage{} }, func(of part) error {
		counted := newSet(of, most)
		count := func(blob digest.Digest) error {
			if !of.has(blob) || counted.has(blob) {
				return nil
			}
			if err := counted.add(blob); err != nil {
				return err
			}
			size, err := s.size(blob)
			total.blobs += size
			return err
		}
		return s.below(project, func(name string) error {
			if err := s.mark(name, count); err != nil {
				return err
			}
			if err := digests(s.layers(name), func(blob digest.Digest) error {
				at, err := modified(filepath.Join(inFolder(s.layers(name), blob), linkFile))
				if gone(err) || (err == nil && at.Before(fresh)) {
					return nil
				}
				if err != nil {
					return err
				}
				return count(blob)
			}); err != nil || of.nth > 0 {
				return err
			}
			uploads := filepath.Join(s.repository(name), "_uploads")
			return entries(uploads, func(entry fs.DirEntry) error {
				info, err := os.Stat(filepath.Join(uploads, entry.Name(), dataFile))
				if err == nil {
					total.uploads += info.Size()
				}
				if gone(err) {
					return nil
				}
				return err
			})
		})
	})
	return total, err
}
