package main

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"strings"
)

// users are those who may write: name to the SHA-256 of the password. Passwords are made by machines, with 190 random bits, so that
// a slow hash would protect nothing more.
type users map[string][]byte

// readUsers reads lines of the form NAME:HEX.
func readUsers(file string) (users, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("DEPOT_USERS: %w", err)
	}
	found := users{}
	for number, line := range strings.Split(string(text), "\n") {
		if line == "" {
			continue
		}
		name, digest, ok := strings.Cut(line, ":")
		sum, err := hex.DecodeString(digest)
		if !ok || name == "" || err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("%s:%d: expected NAME:SHA-256 in hex", file, number+1)
		}
		found[name] = sum
	}
	return found, nil
}

// knows tells whether a request shows the password of one of them.
func (all users) knows(request *http.Request) bool {
	name, password, ok := request.BasicAuth()
	given := sha256.Sum256([]byte(password))
	return ok && subtle.ConstantTimeCompare(given[:], all[name]) == 1
}

// refuse asks for a login.
func refuse(w http.ResponseWriter, message string) {
	w.Header().Set("WWW-Authenticate", `Basic realm="delos"`)
	answer(w, http.StatusUnauthorized, map[string]any{"error": message})
}
