// Command files is the platform's file storage: what the official client's storage commands ask for, on one volume with a folder
// for each project.
//
// It has no users. Who may do what, it asks the control API with the caller's own token.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	maxHeaderBytes = 32 * 1024
	headerTime     = 10 * time.Second
	idleTime       = 2 * time.Minute
	// A request that is under way when the service ends has so long to come to its end.
	endTime = 15 * time.Second
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
	given, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	// Modes are said where files are made. Where a folder has a default list of access, that counts.
	syscall.Umask(0o002)
	files, err := openVolume(given.data)
	if err != nil {
		return err
	}
	var serving atomic.Bool
	metrics := newRequestMetrics()
	usage := newUsage(files, given.scanPause)
	aside, err := net.Listen("tcp", fmt.Sprintf(":%d", given.internalPort))
	if err != nil {
		return err
	}
	go internal{files, metrics, usage, func() error {
		if !serving.Load() {
			return errors.New("not started yet, or ending")
		}
		return files.there()
	}}.serve(ctx, aside)
	if err := files.sweepUploads(); err != nil {
		return fmt.Errorf("what was being uploaded when the service ended last cannot be removed: %w", err)
	}
	go usage.run(ctx)

	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", given.port))
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           withTree(withUsage(newFront(files, newRights(given.api), usage, metrics), usage), files),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(discard{}, "", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	serving.Store(true)
	log.Printf("serving %s at port %d", given.data, given.port)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	serving.Store(false)
	end, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if server.Shutdown(end) != nil {
		return server.Close()
	}
	return nil
}

// discard takes what net/http says of connections that clients have broken off.
type discard struct{}

func (discard) Write(text []byte) (int, error) { return len(text), nil }
