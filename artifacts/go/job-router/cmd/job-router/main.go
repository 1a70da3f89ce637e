// Command job-router is the way into jobs by HTTP: it stands behind the gateway, asks the control API which Pod a host name leads
// to and who may see it, lets people log in by the browser, and passes requests on.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const (
	maxHeaderBytes = 64 * 1024
	headerTime     = 10 * time.Second
	// Longer than the gateway keeps an idle connection, so that a reused one is not closed under it.
	idleTime = 75 * time.Second
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
	given, err := readSettings()
	if err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	seen := newMetrics(registry)
	platform := newPlatform(given.apiURL, seen)
	router := newRouter(given, platform, seen)
	outer := &http.Server{
		Addr:    fmt.Sprintf(":%d", given.port),
		Handler: router,
		// Bodies and answers have no limit in time: the gateway cuts off what stalls.
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	routes := http.NewServeMux()
	for _, state := range []string{"live", "ready"} {
		routes.HandleFunc("GET /health/"+state, func(http.ResponseWriter, *http.Request) {})
	}
	routes.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	inner := &http.Server{Addr: fmt.Sprintf(":%d", given.internalPort), Handler: routes, ReadHeaderTimeout: headerTime}
	go platform.follow(ctx)
	failed := make(chan error, 3)
	for _, one := range []*http.Server{outer, inner} {
		go func() { failed <- one.ListenAndServe() }()
	}
	handed, err := listenHTTP2(given.http2Port)
	if err != nil {
		return err
	}
	streams := http2Server(router)
	go func() { failed <- streams.Serve(handed) }()
	log.Printf("serving at port %d", given.port)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// Streams that are still open then end with the process.
	ended := make(chan error, 2)
	for _, one := range []*http.Server{outer, streams} {
		go func() { ended <- one.Shutdown(end) }()
	}
	for range 2 {
		if err := <-ended; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
	return inner.Close()
}
