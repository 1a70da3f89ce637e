// Command metrics-proxy gives users the metrics of their own projects: it stands before Prometheus, asks the control API whose
// series a caller may see, and adds a matcher for these to every selector of a query.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxHeaderBytes = 32 * 1024
	headerTime     = 10 * time.Second
	requestTime    = time.Minute
	idleTime       = time.Minute
)

func main() {
	log.SetFlags(0)
	if err := serve(); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	upstream, err := address("DELOS_PROMETHEUS_URL")
	if err != nil {
		return err
	}
	scope, err := address("DELOS_SCOPE_URL")
	if err != nil {
		return err
	}
	open, err := port("DELOS_PORT")
	if err != nil {
		return err
	}
	aside, err := port("DELOS_INTERNAL_PORT")
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gate, err := newGate(upstream, os.Getenv("DELOS_PREFIX"), os.Getenv("DELOS_LABEL"), newScopes(scope), registry)
	if err != nil {
		return err
	}
	outer := server(open, gate)
	routes := http.NewServeMux()
	for _, state := range []string{"live", "ready"} {
		routes.HandleFunc("GET /health/"+state, func(http.ResponseWriter, *http.Request) {})
	}
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	inner := server(aside, routes)
	failed := make(chan error, 2)
	for _, one := range []*http.Server{outer, inner} {
		go func() { failed <- one.ListenAndServe() }()
	}
	log.Printf("serving at port %d", open)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(outer.Shutdown(end), inner.Close())
}

func server(port int, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              fmt.Sprintf(":%d", port),
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      2 * requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

func address(name string) (*url.URL, error) {
	given, err := url.Parse(os.Getenv(name))
	if err != nil || (given.Scheme != "http" && given.Scheme != "https") || given.Host == "" {
		return nil, fmt.Errorf("%s is %q: expected an http address", name, os.Getenv(name))
	}
	return given, nil
}

func port(name string) (int, error) {
	number, err := strconv.Atoi(os.Getenv(name))
	if err != nil || number < 1 || number > 65535 {
		return 0, fmt.Errorf("%s is %q: expected a port from 1 to 65535", name, os.Getenv(name))
	}
	return number, nil
}
