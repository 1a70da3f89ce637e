// Command depot is what a machine that keeps a site's artefacts needs beside the official programs: `depot charts` is a repository
// of Helm charts with ChartMuseum's upload API, `depot tokens` gives the registry's clients their tokens.
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
)

const (
	maxHeaderBytes = 32 * 1024
	headerTime     = 10 * time.Second
	requestTime    = 2 * time.Minute
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
	if len(os.Args) != 2 {
		return errors.New("expected `depot charts` or `depot tokens`")
	}
	users, err := readUsers(os.Getenv("DEPOT_USERS"))
	if err != nil {
		return err
	}
	var handler http.Handler
	switch os.Args[1] {
	case "charts":
		handler, err = newRepository(os.Getenv("DEPOT_CHARTS"), users)
	case "tokens":
		handler, err = newIssuer(os.Getenv("DEPOT_KEY"), os.Getenv("DEPOT_ISSUER"), os.Getenv("DEPOT_SERVICE"), users)
	default:
		err = fmt.Errorf("%q is unknown: expected charts or tokens", os.Args[1])
	}
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              os.Getenv("DEPOT_LISTEN"),
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      2 * requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	log.Printf("serving %s at %s", os.Args[1], server.Addr)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return server.Shutdown(end)
}
