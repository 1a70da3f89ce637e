package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry"
)

// Where distribution's client finds where an upload stands, in the query of the address that it goes on at.
const stateName = "_state"

// states lets an upload go on while the secret that signs where it stands is another, and after a restart. Distribution has one secret
// and reads it once. So it is given one that ends with the process, and what leaves it is signed anew with the secret of now; what
// comes in may be signed with any that is accepted.
type states struct {
	outer *liveSecret
	inner []byte
}

func registerStates(path string) error {
	outer, err := openSecret(path)
	if err != nil {
		return fmt.Errorf("DELOS_IMAGES_SECRET_FILE: %w", err)
	}
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	inner := hex.EncodeToString(random[:])
	// Distribution reads its settings from the environment too.
	if err := os.Setenv("REGISTRY_HTTP_SECRET", inner); err != nil {
		return err
	}
	own := &states{outer: outer, inner: []byte(inner)}
	registry.RegisterHandler(func(_ *configuration.Configuration, next http.Handler) http.Handler { return own.handler(next) })
	return nil
}

func (s *states) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		if !strings.Contains(request.URL.Path, "/blobs/uploads/") {
			next.ServeHTTP(answer, request)
			return
		}
		next.ServeHTTP(&signing{ResponseWriter: answer, states: s}, s.taken(request))
	})
}

// taken is the request as distribution takes it, where it shows a state that is signed with a secret of ours. It refuses any other.
func (s *states) taken(request *http.Request) *http.Request {
	query := request.URL.Query()
	shown := query.Get(stateName)
	if shown == "" {
		return request
	}
	// What is signed with the inner secret was never given to anybody.
	query.Set(stateName, "")
	for _, secret := range s.outer.accepted() {
		if state, ok := resigned(shown, secret, s.inner); ok {
			query.Set(stateName, state)
			break
		}
	}
	changed := request.Clone(request.Context())
	changed.URL.RawQuery = query.Encode()
	return changed
}

// given is an address as a client gets it.
func (s *states) given(location string) string {
	address, err := url.Parse(location)
	if err != nil {
		return location
	}
	query := address.Query()
	state, ok := resigned(query.Get(stateName), s.inner, s.outer.accepted()[0])
	if !ok {
		return location
	}
	query.Set(stateName, state)
	address.RawQuery = query.Encode()
	return address.String()
}

// resigned is a state that is signed with one secret, signed with another; false where it is not signed with the one. A state is the
// signature by HMAC with SHA-256, and what is signed (distribution's registry/handlers/hmac.go).
func resigned(state string, from, to []byte) (string, bool) {
	whole, err := base64.URLEncoding.DecodeString(state)
	if err != nil || len(whole) <= sha256.Size {
		return "", false
	}
	signature, message := whole[:sha256.Size], whole[sha256.Size:]
	if !hmac.Equal(signature, signatureOf(message, from)) {
		return "", false
	}
	return base64.URLEncoding.EncodeToString(append(signatureOf(message, to), message...)), true
}

func signatureOf(message, secret []byte) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(message)
	return mac.Sum(nil)
}

// signing signs the address anew that an answer gives.
type signing struct {
	http.ResponseWriter
	states *states
}

func (s *signing) WriteHeader(status int) {
	if location := s.Header().Get("Location"); location != "" {
		s.Header().Set("Location", s.states.given(location))
	}
	s.ResponseWriter.WriteHeader(status)
}

// Unwrap is how http.ResponseController finds what else the writer can do.
func (s *signing) Unwrap() http.ResponseWriter { return s.ResponseWriter }
