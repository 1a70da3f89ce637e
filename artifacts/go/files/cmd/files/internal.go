package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// usagePath is where the control API asks what projects use. It is not below the prefix of the public origin, so that no client reaches it.
const usagePath = "/usage"

type toldUsage struct {
	Org     string `json:"org"`
	Project string `json:"project"`
	Bytes   int64  `json:"bytes"`
	// When the look at it began, in milliseconds since 1970.
	Looked int64 `json:"looked"`
}

// withUsage answers the control API beside clients.
func withUsage(clients http.Handler, used *usage) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if request.URL.Path != usagePath {
			clients.ServeHTTP(writer, request)
			return
		}
		told := []toldUsage{}
		used.lock.Lock()
		for _, each := range used.of {
			if !each.looked.IsZero() {
				told = append(told, toldUsage{each.org, each.project, each.seen, each.began.UnixMilli()})
			}
		}
		used.lock.Unlock()
		writer.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(writer).Encode(map[string][]toldUsage{"projects": told})
	})
}

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
