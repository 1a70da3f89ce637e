package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"mime"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
)

// Bodies that are read at once: each may be as large as a chart and its signature, and is held in memory.
const maxUploads = 4

var uploads = make(chan struct{}, maxUploads)

// badRequest is what a client did wrong.
type badRequest struct{ error }

// open is a repository on a machine of its own: reading is free, writing needs a login.
type open struct {
	*repository
	users users
}

func (o open) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if !reads(request) && !o.users.knows(request) {
		refuse(w, "unauthorized")
		return
	}
	o.repository.ServeHTTP(w, request)
}

func reads(request *http.Request) bool {
	return request.Method == http.MethodGet || request.Method == http.MethodHead
}

// ServeHTTP answers as ChartMuseum does, for `helm repo add` and `helm cm-push`, whoever asks.
// See https://github.com/helm/chartmuseum#api
func (r *repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	path := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	read := reads(request)
	switch {
	case read && request.URL.Path == "/health":
		answer(w, http.StatusOK, map[string]any{"healthy": true})
	case read && request.URL.Path == "/info":
		answer(w, http.StatusOK, map[string]any{"version": "v0.16.3"})
	case read && request.URL.Path == "/index.yaml":
		r.serveIndex(w)
	case read && len(path) == 2 && path[0] == "charts" && isArchive(path[1]):
		w.Header().Set("Content-Type", "application/x-tar")
		http.ServeFile(w, request, filepath.Join(r.folder, path[1]))
	case len(path) >= 2 && path[0] == "api" && (path[1] == "charts" || path[1] == "prov"):
		r.serveAPI(w, request, path[1:])
	default:
		answer(w, http.StatusNotFound, map[string]any{"error": "not found"})
	}
}

func isArchive(name string) bool {
	return !strings.HasPrefix(name, ".") && (strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".tgz.prov"))
}

func (r *repository) serveIndex(w http.ResponseWriter) {
	text, err := r.text()
	if err != nil {
		fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-yaml")
	_, _ = w.Write(text)
}

// serveAPI answers charts, charts/NAME, charts/NAME/VERSION and prov.
func (r *repository) serveAPI(w http.ResponseWriter, request *http.Request, path []string) {
	read := reads(request)
	switch {
	case request.Method == http.MethodPost && len(path) == 1:
		r.upload(w, request, path[0] == "prov")
	case path[0] == "prov" || len(path) > 3:
		answer(w, http.StatusNotFound, map[string]any{"error": "not found"})
	case request.Method == http.MethodDelete && len(path) == 3:
		if err := r.remove(path[1], path[2]); err != nil {
			fail(w, err)
			return
		}
		answer(w, http.StatusOK, map[string]any{"deleted": true})
	case read:
		r.serveCharts(w, path[1:])
	default:
		answer(w, http.StatusMethodNotAllowed, map[string]any{"error": "method not allowed"})
	}
}

func (r *repository) serveCharts(w http.ResponseWriter, path []string) {
	found := r.lookUp(path)
	if found == nil {
		answer(w, http.StatusNotFound, map[string]any{"error": "chart not found"})
		return
	}
	answer(w, http.StatusOK, found)
}

// lookUp is what is at a path; nil for nothing. Nothing that it gives is changed later, and a slow client so holds no lock.
func (r *repository) lookUp(path []string) any {
	r.lock.RLock()
	defer r.lock.RUnlock()
	if len(path) == 0 {
		return r.listed()
	}
	versions := r.versions(path[0])
	if len(path) == 1 && len(versions) > 0 {
		return versions
	}
	if len(path) == 1 {
		return nil
	}
	if one := r.find(path[0], path[1]); one != nil {
		return one.entry
	}
	return nil
}

func (r *repository) upload(w http.ResponseWriter, request *http.Request, onlySignature bool) {
	uploads <- struct{}{}
	defer func() { <-uploads }()
	request.Body = http.MaxBytesReader(w, request.Body, maxChartBytes+maxDescription)
	archive, signature, err := bodies(request, onlySignature)
	switch {
	case err != nil:
	case onlySignature:
		err = r.saveSignature(signature)
	default:
		_, err = r.save(archive, signature, request.URL.Query().Has("force"))
	}
	if err != nil {
		fail(w, err)
		return
	}
	answer(w, http.StatusCreated, map[string]any{"saved": true})
}

// bodies is the archive and the signature of a request: the body as it is, or a form with `chart` and `prov`.
func bodies(request *http.Request, onlySignature bool) (archive, signature []byte, err error) {
	if kind, _, _ := mime.ParseMediaType(request.Header.Get("Content-Type")); kind != "multipart/form-data" {
		body, err := io.ReadAll(request.Body)
		if onlySignature {
			return nil, body, err
		}
		return body, nil, err
	}
	form, err := request.MultipartReader()
	if err != nil {
		return nil, nil, badRequest{err}
	}
	for {
		part, err := form.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, nil, err
		}
		switch part.FormName() {
		case "chart":
			archive = content
		case "prov":
			signature = content
		}
	}
	if (onlySignature && signature == nil) || (!onlySignature && archive == nil) {
		return nil, nil, badRequest{errors.New("the form has no part `chart`, or no part `prov`")}
	}
	return archive, signature, nil
}

func fail(w http.ResponseWriter, err error) {
	var tooLarge *http.MaxBytesError
	var bad badRequest
	var bound errFull
	switch {
	case errors.As(err, &tooLarge):
		answer(w, http.StatusRequestEntityTooLarge, map[string]any{"error": fmt.Sprintf("a chart has at most %d MiB", maxChartBytes>>20)})
	case errors.As(err, &bad):
		answer(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
	case errors.Is(err, io.ErrUnexpectedEOF):
		answer(w, http.StatusBadRequest, map[string]any{"error": "the upload ended before it was whole"})
	case errors.Is(err, errExists):
		answer(w, http.StatusConflict, map[string]any{"error": err.Error()})
	case errors.Is(err, fs.ErrNotExist):
		answer(w, http.StatusNotFound, map[string]any{"error": "chart not found"})
	case errors.Is(err, errNoRoom), errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		answer(w, http.StatusInsufficientStorage, map[string]any{"error": errNoRoom.Error()})
	case errors.As(err, &bound):
		answer(w, http.StatusInsufficientStorage, map[string]any{"error": err.Error()})
	default:
		log.Print(err)
		answer(w, http.StatusInternalServerError, map[string]any{"error": "the chart repository failed; its log says why"})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}
