package main

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

// rereadAfter is how long a secret is gone by as it was read last. A rotation waits longer for it.
const rereadAfter = 500 * time.Millisecond

// liveSecret is a secret in a file that changes while the service runs. While it is rotated the one that comes next lies
// beside it in FILE.next, later the one that was in FILE.former.
type liveSecret struct {
	path string
	lock sync.Mutex
	read time.Time
	held [][]byte
}

func openSecret(path string) (*liveSecret, error) {
	secret := &liveSecret{path: path}
	var err error
	secret.held, err = secretLines(path)
	return secret, err
}

// accepted gives all that is accepted now, the current one first. What was read last holds while the file cannot be read.
func (s *liveSecret) accepted() [][]byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	if now := time.Now(); now.Sub(s.read) > rereadAfter {
		if lines, err := linesNow(s.path); err == nil {
			s.held, s.read = lines, now
		}
	}
	return s.held
}

// linesNow reads the three files of one moment: they change together, and maybe just now.
func linesNow(path string) ([][]byte, error) {
	for {
		lines, err := secretLines(path)
		if err != nil {
			return nil, err
		}
		first := len(lines)
		for _, beside := range []string{".next", ".former"} {
			more, _ := secretLines(path + beside)
			lines = append(lines, more...)
		}
		again, err := secretLines(path)
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(again, lines[:first], bytes.Equal) {
			return lines, nil
		}
	}
}

// named gives the one that has this name by keyName; nil where there is none.
func (s *liveSecret) named(name string) []byte {
	if s == nil {
		return nil
	}
	for _, each := range s.accepted() {
		if keyName(each) == name {
			return each
		}
	}
	return nil
}
