package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus-community/prom-label-proxy/injectproxy"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"
)

const (
	// maxBody is for a query, which may be long.
	maxBody = 64 * 1024
	// maxQueries are asked of Prometheus at once: it answers four, and judges its rules beside them.
	maxQueries = 2
	// waitForTurn is how long a query waits for its turn before its caller is told to come later.
	waitForTurn = 10 * time.Second
	// nobody is a value that the label never has: each project's name has a slash.
	nobody = "-"
)

// offered are the questions that are passed on: those that can be narrowed to some series, and two that tell of no series.
var offered = regexp.MustCompile(
	`^/api/v1/(query|query_range|series|labels|label/[a-zA-Z_][a-zA-Z0-9_]*/values|metadata|status/buildinfo)$`)

// narrow says whether a question is one about series.
func narrow(path string) bool {
	return path != "/api/v1/metadata" && path != "/api/v1/status/buildinfo"
}

// gate lets each caller ask about its own series.
type gate struct {
	prefix   string
	scopes   *scopes
	narrowed http.Handler
	whole    http.Handler
	turns    *semaphore.Weighted
	requests *prometheus.CounterVec
}

func newGate(upstream *url.URL, prefix, label string, scopes *scopes, registry *prometheus.Registry) (*gate, error) {
	if !strings.HasPrefix(prefix, "/") || strings.HasSuffix(prefix, "/") {
		return nil, fmt.Errorf("DELOS_PREFIX is %q: expected a path without a slash at its end", prefix)
	}
	if !regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`).MatchString(label) {
		return nil, fmt.Errorf("DELOS_LABEL is %q: expected the name of a label", label)
	}
	narrowed, err := injectproxy.NewRoutes(upstream, label, passed{}, injectproxy.WithEnabledLabelsAPI())
	if err != nil {
		return nil, err
	}
	whole := httputil.NewSingleHostReverseProxy(upstream)
	whole.ErrorHandler = func(writer http.ResponseWriter, request *http.Request, err error) {
		log.Printf("%s: %v", request.URL.Path, err)
		answer(writer, http.StatusBadGateway, "Prometheus does not answer")
	}
	requests := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "delos_metrics_proxy_requests_total",
		Help: "Questions for metrics, by how they were answered",
	}, []string{"status"})
	registry.MustRegister(requests)
	return &gate{prefix, scopes, narrowed, whole, semaphore.NewWeighted(maxQueries), requests}, nil
}

// passed finds the values in the context, where the gate has put them.
type passed struct{}

func (passed) ExtractLabel(next http.HandlerFunc) http.Handler { return next }

func (g *gate) ServeHTTP(plain http.ResponseWriter, request *http.Request) {
	writer := &counted{ResponseWriter: plain, status: http.StatusOK}
	defer func() { g.requests.WithLabelValues(strconv.Itoa(writer.status)).Inc() }()
	path, ours := strings.CutPrefix(request.URL.EscapedPath(), g.prefix)
	if !ours || !offered.MatchString(path) {
		answer(writer, http.StatusNotFound, "expected "+g.prefix+"/api/v1/ with query, query_range, series, labels or label/NAME/values")
		return
	}
	if request.Method != http.MethodGet && request.Method != http.MethodPost {
		writer.Header().Set("Allow", "GET, POST")
		answer(writer, http.StatusMethodNotAllowed, "expected GET or POST")
		return
	}
	request.Body = http.MaxBytesReader(writer, request.Body, maxBody)
	if err := request.ParseForm(); err != nil {
		answer(writer, http.StatusBadRequest, "expected a form of at most "+strconv.Itoa(maxBody)+" bytes: "+err.Error())
		return
	}
	may, err := g.scopes.of(request.Context(), request.Header.Get("Authorization"))
	if err != nil {
		refuse(writer, err)
		return
	}
	turn, cancel := context.WithTimeout(request.Context(), waitForTurn)
	defer cancel()
	if g.turns.Acquire(turn, 1) != nil {
		writer.Header().Set("Retry-After", "5")
		answer(writer, http.StatusServiceUnavailable, "too many questions at once: ask again in a moment")
		return
	}
	defer g.turns.Release(1)
	g.forward(writer, request, path, may)
}

// forward asks Prometheus, as if the caller had asked it so: all parameters are in the form that was read, and nothing else is
// passed on.
func (g *gate) forward(writer http.ResponseWriter, request *http.Request, path string, may scope) {
	values := request.Form
	out := request.Clone(request.Context())
	out.URL = &url.URL{Path: path, RawQuery: values.Encode()}
	out.RequestURI = ""
	out.Method = http.MethodGet
	out.Body = http.NoBody
	out.ContentLength = 0
	out.Form, out.PostForm = nil, nil
	out.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {"metrics-proxy"}}
	if may.Everything || !narrow(path) {
		g.whole.ServeHTTP(writer, out)
		return
	}
	projects := may.Projects
	if len(projects) == 0 {
		projects = []string{nobody}
	}
	g.narrowed.ServeHTTP(writer, out.WithContext(injectproxy.WithLabelValues(out.Context(), projects)))
}

func refuse(writer http.ResponseWriter, err error) {
	var refused *refusal
	if !errors.As(err, &refused) {
		log.Printf("asking whose series these are: %v", err)
		writer.Header().Set("Retry-After", "5")
		answer(writer, http.StatusServiceUnavailable, "the control API does not say whose metrics you may see: ask again in a moment")
		return
	}
	if refused.after != "" {
		writer.Header().Set("Retry-After", refused.after)
	}
	if refused.status == http.StatusUnauthorized {
		writer.Header().Set("WWW-Authenticate", "Bearer")
	}
	writer.Header().Set("Content-Type", refused.kind)
	writer.WriteHeader(refused.status)
	_, _ = writer.Write(refused.body)
}

// answer writes an error as Prometheus does.
func answer(writer http.ResponseWriter, status int, message string) {
	writer.Header().Set("Content-Type", "application/json")
	writer.WriteHeader(status)
	_ = json.NewEncoder(writer).Encode(map[string]string{"status": "error", "errorType": "delos", "error": message})
}

type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}
