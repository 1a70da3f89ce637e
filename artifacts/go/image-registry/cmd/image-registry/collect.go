package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// collector gives space back while the registry serves: mark, then sweep. It may be killed at any instant, and keeps nothing in
// memory from one collection to the next. What it removes was not part of an image when the collection began, has not been in use
// for the grace before that, and is in no request's hands (fence).
type collector struct {
	given settings
	guard *guard
	// One collection at a time.
	turn   sync.Mutex
	counts counts
}

// report is what a collection did.
type report struct {
	Blobs     int     `json:"blobs"`
	Bytes     int64   `json:"bytes"`
	Links     int     `json:"links"`
	Manifests int     `json:"manifests"`
	Kept      int     `json:"kept"`
	Seconds   float64 `json:"seconds"`
}

const (
	// After its start the registry has better things to do.
	firstAfter = 5 * time.Minute
	// Blobs that lie in the trash at most.
	emptyEvery = 100
	// A backup reads names before blobs, and holds this lock meanwhile. So does a collection.
	lockFile = "lock"
)

func newCollector(given settings, guard *guard) *collector {
	return &collector{given: given, guard: guard}
}

func (c *collector) run() {
	for wait := min(firstAfter, c.given.every); ; wait = c.given.every {
		time.Sleep(wait)
		_, _ = c.collect(c.given.grace)
	}
}

// collect removes what no image needs, and measures projects anew.
func (c *collector) collect(grace time.Duration) (report, error) {
	c.turn.Lock()
	defer c.turn.Unlock()
	began := time.Now()
	done, err := c.locked(grace)
	done.Seconds = time.Since(began).Seconds()
	c.counts.end(done, err)
	log := logrus.WithFields(logrus.Fields{
		"blobs": done.Blobs, "bytes": done.Bytes, "links": done.Links, "manifests": done.Manifests, "seconds": done.Seconds,
	})
	if err != nil {
		log.WithError(err).Error("the collection of unused blobs failed")
	} else {
		log.Info("unused blobs were collected")
	}
	return done, err
}

func (c *collector) locked(grace time.Duration) (report, error) {
	files := c.guard.files
	if err := os.MkdirAll(files.own(), 0o700); err != nil {
		return report{}, err
	}
	lock, err := os.OpenFile(filepath.Join(files.own(), lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return report{}, err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return report{}, err
	}
	if err := c.emptyTrash(); err != nil {
		return report{}, err
	}
	if err := os.MkdirAll(files.trash(), 0o700); err != nil {
		return report{}, err
	}
	began := time.Now()
	s := sweep{collector: c, old: began.Add(-grace), began: began}
	if err := s.untagged(); err != nil {
		return s.done, err
	}
	// Names that have gone are gone for good before what they led to.
	if err := c.sync(); err != nil {
		return s.done, err
	}
	if err := inParts(func() { s.done.Kept = 0 }, s.blobs); err != nil {
		return s.done, err
	}
	return s.done, errors.Join(s.emptied(), c.emptyTrash(), c.measure())
}

// sync has the volume's file system write what it holds.
func (c *collector) sync() error {
	folder, err := os.Open(c.guard.files.own())
	if err != nil {
		return err
	}
	defer folder.Close()
	return unix.Syncfs(int(folder.Fd()))
}

func (c *collector) emptyTrash() error {
	trash := c.guard.files.trash()
	return entries(trash, func(entry fs.DirEntry) error {
		return os.RemoveAll(filepath.Join(trash, entry.Name()))
	})
}

// measure has all projects measured.
func (c *collector) measure() error {
	return c.guard.files.projects(func(project string) error {
		_, err := c.guard.quota.measure(project, always)
		return err
	})
}

// sweep is one collection.
type sweep struct {
	*collector
	// When it began, and what was last in use before which it may remove.
	began, old time.Time
	done       report
	// The trash has to be emptied.
	full bool
}

// blobs removes unused blobs of one part of all digests, and the links to them.
func (s *sweep) blobs(of part) error {
	files := s.guard.files
	used := newSet(of, s.given.atOnce)
	if err := s.repositories(func(name string) error {
		own := newSet(of, s.given.atOnce)
		if err := files.mark(name, func(blob digest.Digest) error {
			if err := own.add(blob); err != nil {
				return err
			}
			return used.add(blob)
		}); err != nil {
			return err
		}
		return digests(files.layers(name), func(blob digest.Digest) error {
			if !of.has(blob) || own.has(blob) {
				return nil
			}
			return s.guard.fence.unused(blob, func() error { return s.link(inFolder(files.layers(name), blob)) })
		})
	}); err != nil {
		return err
	}
	return files.allBlobs(func(blob digest.Digest) error {
		if !of.has(blob) {
			return nil
		}
		if used.has(blob) {
			s.done.Kept++
			return nil
		}
		if err := s.guard.fence.unused(blob, func() error { return s.blob(blob) }); err != nil || !s.full {
			return err
		}
		s.full = false
		return s.emptyTrash()
	})
}

// link removes a link, and its folder, where it has not been in use since.
func (s *sweep) link(folder string) error {
	path := filepath.Join(folder, linkFile)
	at, err := modified(path)
	if gone(err) {
		return nil
	}
	if err != nil || !at.Before(s.old) {
		return err
	}
	if err := os.Remove(path); err != nil && !gone(err) {
		return err
	}
	// Distribution may be writing another link into it.
	_ = os.Remove(folder)
	s.done.Links++
	return nil
}

// blob takes a blob away by one rename; its bytes go later, while no request waits.
func (s *sweep) blob(of digest.Digest) error {
	folder := s.guard.files.blob(of)
	info, err := os.Stat(filepath.Join(folder, dataFile))
	if gone(err) {
		return nil
	}
	if err != nil || !info.ModTime().Before(s.old) {
		return err
	}
	to := filepath.Join(s.guard.files.trash(), fmt.Sprintf("%s-%d", of.Encoded(), s.done.Blobs))
	if err := os.Rename(folder, to); err != nil {
		return err
	}
	s.done.Blobs++
	s.done.Bytes += info.Size()
	if s.done.Blobs%emptyEvery == 0 {
		s.full = true
	}
	return nil
}

func (s *sweep) repositories(each func(name string) error) error {
	return s.guard.files.projects(func(project string) error { return s.guard.files.below(project, each) })
}
