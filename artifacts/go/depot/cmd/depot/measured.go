package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// requestMetrics counts answers, by method and status.
type requestMetrics struct {
	lock    sync.Mutex
	answers map[[2]string]int
}

func newRequestMetrics() *requestMetrics { return &requestMetrics{answers: map[[2]string]int{}} }

func (m *requestMetrics) add(method string, status int) {
	// Whatever a client calls its method, there are few series.
	if !slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete}, method) {
		method = "other"
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.answers[[2]string{method, strconv.Itoa(status)}]++
}

// internal answers for health and metrics, on a port of its own that clients do not reach.
type internal struct {
	projects *projects
	// What is on the volume has been read.
	ready atomic.Bool
}

func (i *internal) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health/live", func(http.ResponseWriter, *http.Request) {})
	routes.HandleFunc("GET /health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !i.ready.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	routes.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		i.write(w)
	})
	return routes
}

// write tells in Prometheus' text format. Names of projects need no escaping.
// See https://prometheus.io/docs/instrumenting/exposition_formats/
func (i *internal) write(w io.Writer) {
	head := func(name, kind, help string) { fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind) }
	if size, free, err := space(i.projects.folder); err != nil {
		log.Print(err)
	} else {
		head("delos_charts_volume_bytes", "gauge", "Size of the volume of charts")
		fmt.Fprintf(w, "delos_charts_volume_bytes %d\n", size)
		head("delos_charts_volume_free_bytes", "gauge", "What of the volume of charts is free")
		fmt.Fprintf(w, "delos_charts_volume_free_bytes %d\n", free)
	}
	head("delos_charts_project_bytes", "gauge", "Bytes of the charts of a project")
	for project, size := range i.projects.sizes() {
		fmt.Fprintf(w, "delos_charts_project_bytes{project=\"%s\"} %d\n", project, size)
	}
	i.projects.shared.lock.Lock()
	charts := i.projects.shared.charts
	i.projects.shared.lock.Unlock()
	head("delos_charts", "gauge", "Charts of all projects")
	fmt.Fprintf(w, "delos_charts %d\n", charts)
	head("delos_charts_requests_total", "counter", "Requests, by method and by how they were answered")
	metrics := i.projects.metrics
	metrics.lock.Lock()
	defer metrics.lock.Unlock()
	for key, count := range metrics.answers {
		fmt.Fprintf(w, "delos_charts_requests_total{method=\"%s\",status=\"%s\"} %d\n", key[0], key[1], count)
	}
}
