package main

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
)

// Manifests of one repository that are looked at as untagged ones at most; others wait for the next collection.
const maxUntagged = 20_000

// untagged removes manifests that have had no tag for long. The official client names images by tags, so nobody could remove them.
// A manifest that an index names stays as long as the index does, and one that is pulled by its digest is in use.
func (s *sweep) untagged() error {
	if s.given.keepUntagged == 0 {
		return nil
	}
	return s.repositories(func(name string) error {
		files := s.guard.files
		tagged, err := files.tagged(name)
		if err != nil {
			return err
		}
		kept := map[digest.Digest]bool{}
		var old []digest.Digest
		if err := digests(files.revisions(name), func(of digest.Digest) error {
			if len(kept)+len(old) >= maxUntagged {
				return nil
			}
			expired, err := s.expired(inFolder(files.revisions(name), of), tagged[of])
			if err != nil {
				return err
			}
			if expired {
				old = append(old, of)
				return nil
			}
			return s.keep(of, kept)
		}); err != nil {
			return err
		}
		if len(kept)+len(old) >= maxUntagged {
			return nil
		}
		for _, of := range old {
			if kept[of] {
				_ = os.Remove(filepath.Join(inFolder(files.revisions(name), of), untaggedFile))
				continue
			}
			if err := s.guard.fence.unused(of, func() error { return s.revision(name, of) }); err != nil {
				return err
			}
		}
		return nil
	})
}

// keep marks a manifest and those that it names, however deep.
func (s *sweep) keep(of digest.Digest, kept map[digest.Digest]bool) error {
	if kept[of] || len(kept) >= maxUntagged {
		return nil
	}
	kept[of] = true
	text, err := s.guard.files.manifest(of)
	if err != nil {
		return err
	}
	for _, child := range children(text) {
		if err := s.keep(child, kept); err != nil {
			return err
		}
	}
	return nil
}

// expired says whether a manifest has had no tag, and has not been in use, for as long as such ones are kept. Since when is
// written beside its link.
func (s *sweep) expired(folder string, tagged bool) (bool, error) {
	mark := filepath.Join(folder, untaggedFile)
	if tagged {
		if err := os.Remove(mark); err != nil && !gone(err) {
			return false, err
		}
		return false, nil
	}
	used, err := modified(filepath.Join(folder, linkFile))
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	since, err := modified(mark)
	if err != nil && !gone(err) {
		return false, err
	}
	if gone(err) || since.Before(used) {
		return false, os.WriteFile(mark, nil, 0o600)
	}
	return since.Before(s.began.Add(-s.given.keepUntagged)), nil
}

// revision removes the link of a manifest, where nothing has come to use it since.
func (s *sweep) revision(name string, of digest.Digest) error {
	folder := inFolder(s.guard.files.revisions(name), of)
	again, err := s.expired(folder, false)
	if err != nil || !again {
		return err
	}
	if err := os.Remove(filepath.Join(folder, linkFile)); err != nil && !gone(err) {
		return err
	}
	s.done.Manifests++
	_ = os.Remove(filepath.Join(folder, untaggedFile))
	_ = os.Remove(folder)
	// Tags remember what they named before.
	tags := s.guard.files.tags(name)
	return entries(tags, func(tag fs.DirEntry) error {
		return os.RemoveAll(inFolder(filepath.Join(tags, tag.Name(), "index"), of))
	})
}

// tagged gives what the tags of a repository name now.
func (s store) tagged(name string) (map[digest.Digest]bool, error) {
	found := map[digest.Digest]bool{}
	err := entries(s.tags(name), func(tag fs.DirEntry) error {
		of, err := readLink(filepath.Join(s.tags(name), tag.Name(), "current", linkFile))
		if of != "" {
			found[of] = true
		}
		return err
	})
	return found, err
}
