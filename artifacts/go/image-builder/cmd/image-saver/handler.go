package main

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"
)

// request asks for an image of one container.
type request struct {
	// Id of the container, as containerd has it.
	Container string `json:"container"`
	// What its image is known by: the digest of its manifest, of an index, or of its configuration.
	Digest string `json:"digest"`
	// The name that the new image shall have, with its tag.
	Image    string   `json:"image"`
	Registry registry `json:"registry"`
}

// registry is where the image is pushed to.
type registry struct {
	// Shown as the password of basic credentials.
	Password string `json:"password"`
	// `HOST:PORT` where it is reached, if that is another place than its name says.
	At    string `json:"at"`
	Plain bool   `json:"plain"`
	// Authorities to trust beside the public ones, PEM.
	Authorities string `json:"authorities"`
}

var (
	containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	digestForm  = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// alivePause is how often an empty line says that the work goes on: the agent takes a longer silence for an end.
const alivePause = 20 * time.Second

// line is one of the answer's: docker's form, which the official client reads.
type line map[string]any

func newHandler(s settings) http.Handler {
	running := make(chan struct{}, mostSaves)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("POST /save", func(w http.ResponseWriter, r *http.Request) {
		if !shown(r, s.tokenFile) {
			refuse(w, http.StatusUnauthorized, "expected the secret of this service")
			return
		}
		var asked request
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBodyBytes))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&asked); err != nil {
			refuse(w, http.StatusBadRequest, "expected JSON: "+err.Error())
			return
		}
		if !containerID.MatchString(asked.Container) || !digestForm.MatchString(asked.Digest) {
			refuse(w, http.StatusBadRequest, "expected the id of a container and the digest of its image")
			return
		}
		select {
		case running <- struct{}{}:
			defer func() { <-running }()
		default:
			refuse(w, http.StatusServiceUnavailable, "another container of this node is being saved: try again when that has ended")
			return
		}
		container, err := findContainer(s, asked.Container)
		if err != nil {
			refuse(w, statusOf(err), err.Error())
			return
		}
		defer container.close()
		answer(r.Context(), w, func(ctx context.Context, tell func(line)) error {
			return save(ctx, s, container, asked, tell)
		})
	})
	return mux
}

// answer streams what a save tells, and how it ended.
func answer(ctx context.Context, w http.ResponseWriter, work func(context.Context, func(line)) error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	ctx, cancel := context.WithCancel(ctx)
	var turn sync.Mutex
	// Nothing is written once the answer has ended.
	defer func() {
		turn.Lock()
		defer turn.Unlock()
		cancel()
	}()
	flush := func() {
		if flusher, may := w.(http.Flusher); may {
			flusher.Flush()
		}
	}
	flush()
	tell := func(said line) {
		turn.Lock()
		defer turn.Unlock()
		if ctx.Err() != nil {
			return
		}
		if json.NewEncoder(w).Encode(said) != nil {
			cancel()
		}
		flush()
	}
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(alivePause):
				tell(line{})
			}
		}
	}()
	if err := work(ctx, tell); err != nil {
		message := err.Error()
		tell(line{"error": message, "errorDetail": line{"message": message}})
	}
}

// shown says whether a request has the secret: the one that holds now, or while it is rotated the one beside it.
func shown(r *http.Request, file string) bool {
	given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for _, each := range []string{file, file + ".next", file + ".former"} {
		secret, err := os.ReadFile(each)
		token := strings.TrimSpace(string(secret))
		if err == nil && token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1 {
			return true
		}
	}
	return false
}

func statusOf(err error) int {
	if errors.Is(err, os.ErrNotExist) {
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(line{"message": message})
}
