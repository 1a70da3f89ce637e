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
	"time"
)

// leastKeyBytes is what a key must have; shorter ones could be guessed.
const leastKeyBytes = 32

var errSeal = errors.New("it was not sealed here, or its time is over")

// sealer makes texts that nobody else can read or make (AES-256-GCM, a key for each purpose). It keeps nothing: another
// replica, or the same one after a restart, opens what this one has sealed.
type sealer struct{ secret []byte }

func newSealer(secret []byte) (*sealer, error) {
	secret = bytes.TrimSpace(secret)
	if len(secret) < leastKeyBytes {
		return nil, fmt.Errorf("expected at least %d bytes, found %d", leastKeyBytes, len(secret))
	}
	return &sealer{secret}, nil
}

func (s *sealer) cipher(purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, s.secret, nil, "delos job-router "+purpose, 32)
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
	aead, err := s.cipher(purpose)
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
	aead, err := s.cipher(purpose)
	if err != nil {
		return found.Value, err
	}
	plain, err := aead.Open(nil, nil, data, nil)
	if err != nil {
		return found.Value, errSeal
	}
	if err := json.Unmarshal(plain, &found); err != nil || time.Now().Unix() >= found.End {
		var none T
		return none, errSeal
	}
	return found.Value, nil
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
