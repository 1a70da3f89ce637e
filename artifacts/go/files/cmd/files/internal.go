package main

import (
	"context"
	"net"
	"net/http"
	"time"
)

// internal answers for health and metrics, on a port of its own that clients do not reach.
type internal struct {
	files   *volume
	metrics *requestMetrics
	usage   *usage
	ready   func() error
}

func (i internal) serve(ctx context.Context, listener net.Listener) {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /health/live", func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusOK) })
	routes.HandleFunc("GET /health/ready", func(writer http.ResponseWriter, _ *http.Request) {
		if err := i.ready(); err != nil {
			http.Error(writer, err.Error(), http.StatusServiceUnavailable)
		}
	})
	routes.HandleFunc("GET /metrics", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		i.metrics.write(writer, i.files, i.usage)
	})
	server := &http.Server{
		Handler:           routes,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       headerTime,
		WriteTimeout:      headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	go func() {
		<-ctx.Done()
		time.Sleep(time.Second)
		_ = server.Close()
	}()
	_ = server.Serve(listener)
}
