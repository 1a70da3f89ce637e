package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// leastKeyBytes is what a key must have; shorter ones could be guessed.
const leastKeyBytes = 32

var errSeal = errors.New("it was not sealed here, or its time is over")

// rereadAfter is how long secrets are gone by as they were read last. A rotation waits longer for it.
const rereadAfter = 500 * time.Millisecond

// sealer makes texts that nobody else can read or make (AES-256-GCM, a key for each purpose). It keeps nothing: another
// replica, or the same one after a restart, opens what this one has sealed. Its secret may become another: while it does, texts that
// were sealed with either are opened.
type sealer struct {
	file string
	lock sync.Mutex
	read time.Time
	held [][]byte
}

func newSealer(file string) (*sealer, error) {
	secret, err := secretIn(file)
	if err != nil {
		return nil, err
	}
	return &sealer{file: file, held: [][]byte{secret}}, nil
}

func secretIn(file string) ([]byte, error) {
	secret, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	secret = bytes.TrimSpace(secret)
	if len(secret) < leastKeyBytes {
		return nil, fmt.Errorf("%s: expected at least %d bytes, found %d", file, leastKeyBytes, len(secret))
	}
	return secret, nil
}

// secrets are all that are accepted now; what is sealed is sealed with the first. Those that were read last hold while the file
// cannot be read.
func (s *sealer) secrets() [][]byte {
	s.lock.Lock()
	defer s.lock.Unlock()
	if now := time.Now(); now.Sub(s.read) > rereadAfter {
		if held, err := secretsNow(s.file); err == nil {
			s.held, s.read = held, now
		}
	}
	return s.held
}

// secretsNow reads the three files of one moment: they change together, and maybe just now.
func secretsNow(file string) ([][]byte, error) {
	for {
		current, err := secretIn(file)
		if err != nil {
			return nil, err
		}
		held := [][]byte{current}
		for _, beside := range []string{".next", ".former"} {
			if other, err := secretIn(file + beside); err == nil {
				held = append(held, other)
			}
		}
		again, err := secretIn(file)
		if err != nil {
			return nil, err
		}
		if bytes.Equal(again, current) {
			return held, nil
		}
	}
}

func cipherOf(secret []byte, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "delos job-router "+purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealed is a value and its end.
type sealed[T any] struct {
	Value T     `json:"v"`
	End   int64 `json:"e"`
}

// seal makes a text of a value that is good for this purpose alone, and for so long.
func seal[T any](s *sealer, purpose string, value T, lasts time.Duration) (string, error) {
	text, err := json.Marshal(sealed[T]{value, time.Now().Add(lasts).Unix()})
	if err != nil {
		return "", err
	}
	aead, err := cipherOf(s.secrets()[0], purpose)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(aead.Seal(nil, nil, text, nil)), nil
}

// open reads what seal has made. @returns errSeal for anything else
func open[T any](s *sealer, purpose, text string) (T, error) {
	var found sealed[T]
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return found.Value, errSeal
	}
	plain, err := s.opened(purpose, data)
	if err != nil {
		return found.Value, err
	}
	if err := json.Unmarshal(plain, &found); err != nil || time.Now().Unix() >= found.End {
		var none T
		return none, errSeal
	}
	return found.Value, nil
}

func (s *sealer) opened(purpose string, data []byte) ([]byte, error) {
	for _, secret := range s.secrets() {
		aead, err := cipherOf(secret, purpose)
		if err != nil {
			return nil, err
		}
		if plain, err := aead.Open(nil, nil, data, nil); err == nil {
			return plain, nil
		}
	}
	return nil, errSeal
}

// random is 256 bits that nobody can guess.
func random() string {
	data := make([]byte, 32)
	_, _ = rand.Read(data)
	return base64.RawURLEncoding.EncodeToString(data)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
