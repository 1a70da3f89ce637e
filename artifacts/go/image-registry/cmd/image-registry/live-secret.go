package main

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"time"
)

// liveSecret is a secret in a file that changes while the registry serves. While it is rotated the one that comes next lies beside it
// in FILE.next, later the one that was in FILE.former.
type liveSecret struct {
	path string
	lock sync.Mutex
	read time.Time
	held [][]byte
}

func openSecret(path string) (*liveSecret, error) {
	held, err := secretsAt(path)
	return &liveSecret{path: path, held: held, read: time.Now()}, err
}

// accepted gives all that is accepted now, the current one first. What was read last holds while the file cannot be read.
func (s *liveSecret) accepted() [][]byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	if at := time.Now(); at.Sub(s.read) > rereadAfter {
		if held, err := secretsAt(s.path); err == nil {
			s.held, s.read = held, at
		}
	}
	return s.held
}

// secretsAt reads the three files of one moment: they change together, and maybe just now.
func secretsAt(path string) ([][]byte, error) {
	for {
		first, err := secretIn(path)
		if err != nil {
			return nil, err
		}
		held := [][]byte{first}
		for _, beside := range []string{".next", ".former"} {
			if more, err := secretIn(path + beside); err == nil {
				held = append(held, more)
			}
		}
		if again, err := secretIn(path); err != nil || bytes.Equal(again, first) {
			return held, err
		}
	}
}

func secretIn(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(text, "\n")
	if len(secret) == 0 {
		return nil, errors.New(path + " is empty")
	}
	return secret, nil
}
