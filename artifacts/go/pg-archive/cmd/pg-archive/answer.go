package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	headerTime = 10 * time.Second
	flushTime  = 60 * time.Second
)

// controlSocket is where commands reach the program, in the kernel's abstract namespace: only processes of its Pod do.
func controlSocket(given settings) string { return fmt.Sprintf("@delos-pg-archive-%d", given.port) }

// answer answers for health and metrics at the port, and for commands at the socket.
func answer(ctx context.Context, given settings, state *state, failed chan<- error) error {
	open, err := net.Listen("tcp", fmt.Sprintf(":%d", given.port))
	if err != nil {
		return err
	}
	control, err := net.Listen("unix", controlSocket(given))
	if err != nil {
		return err
	}
	public := http.NewServeMux()
	fine := func(writer http.ResponseWriter, _ *http.Request) { writer.WriteHeader(http.StatusOK) }
	public.HandleFunc("GET /health/live", fine)
	// With the database or the bucket away it is as ready as it can be: an alert tells.
	public.HandleFunc("GET /health/ready", fine)
	public.HandleFunc("GET /metrics", func(writer http.ResponseWriter, _ *http.Request) {
		writer.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		writeMetrics(writer, state.get())
	})
	inside := http.NewServeMux()
	inside.HandleFunc("POST /flush", func(writer http.ResponseWriter, request *http.Request) {
		flushed(writer, request, state, false)
	})
	inside.HandleFunc("POST /close", func(writer http.ResponseWriter, request *http.Request) {
		flushed(writer, request, state, true)
	})
	for _, each := range []struct {
		listener net.Listener
		routes   http.Handler
		limit    time.Duration
	}{{open, public, headerTime}, {control, inside, 2 * flushTime}} {
		server := &http.Server{
			Handler:           each.routes,
			ReadHeaderTimeout: headerTime,
			ReadTimeout:       headerTime,
			WriteTimeout:      each.limit,
			IdleTimeout:       time.Minute,
			MaxHeaderBytes:    16 << 10,
		}
		go func() { failed <- server.Serve(each.listener) }()
		go func() {
			<-ctx.Done()
			_ = server.Close()
		}()
	}
	return nil
}

// flushed waits until all that is committed by now is in the bucket.
func flushed(writer http.ResponseWriter, request *http.Request, state *state, closing bool) {
	before := state.get()
	if before.set == "" {
		http.Error(writer, "the database or the object storage does not answer", http.StatusServiceUnavailable)
		return
	}
	state.ask(closing)
	limit := time.After(flushTime)
	for {
		flush, _ := state.asked()
		if now := state.get(); now.set != before.set && !closing {
			http.Error(writer, "the database or the object storage went away", http.StatusServiceUnavailable)
			return
		} else if !flush && (!closing || now.set == "") {
			_ = json.NewEncoder(writer).Encode(map[string]time.Time{"asOf": now.asOf})
			return
		}
		select {
		case <-request.Context().Done():
			return
		case <-limit:
			http.Error(writer, "what was committed did not come into the bucket within a minute", http.StatusGatewayTimeout)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tell sends a command to the program that runs.
func tell(ctx context.Context, given settings, command string) error {
	client := http.Client{Timeout: 2 * flushTime, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", controlSocket(given))
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://archive/"+command, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(string(text))
	}
	fmt.Print(string(text))
	return nil
}

func writeMetrics(into io.Writer, now known) {
	gauge := func(name, what string, value float64) {
		fmt.Fprintf(into, "# HELP %s %s\n# TYPE %s gauge\n%s %g\n", name, what, name, name, value)
	}
	counter := func(name, what string, value uint64) {
		fmt.Fprintf(into, "# HELP %s %s\n# TYPE %s counter\n%s %d\n", name, what, name, name, value)
	}
	seconds := func(when time.Time) float64 {
		if when.IsZero() {
			return 0
		}
		return float64(when.UnixMilli()) / 1000
	}
	connected := 0.0
	if now.set != "" {
		connected = 1
	}
	gauge("delos_archive_connected", "Whether the log is followed.", connected)
	gauge("delos_archive_as_of_seconds", "Unix time up to which all that was committed is in the bucket; 0 where none is known.", seconds(now.asOf))
	gauge("delos_archive_base_seconds", "Unix time of the last whole base backup of this history; 0 where there is none.", seconds(now.base))
	gauge("delos_archive_earliest_seconds", "Unix time from which on one can go back; 0 where none is known.", seconds(now.earliest))
	gauge("delos_archive_waiting_bytes", "Bytes of the log that were received and are not in the bucket.", float64(now.received-min(now.acked, now.received)))
	counter("delos_archive_failures_total", "Connections to database or object storage that failed.", now.failures)
	counter("delos_archive_base_failures_total", "Base backups that failed.", now.baseFailures)
	counter("delos_archive_sets_total", "Histories that began since the start.", now.newSets)
	counter("delos_archive_segments_total", "Whole segments of the log that were put into the bucket.", now.segments)
	counter("delos_archive_bytes_total", "Bytes of the log that were put into the bucket, before they were compressed.", now.bytes)
	gauge("delos_archive_started_seconds", "Unix time at which it started.", seconds(started))
}

var started = time.Now()
