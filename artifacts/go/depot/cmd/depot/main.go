// Command depot is what a machine that keeps a site's artefacts needs beside the official programs: `depot charts` is a repository
// of Helm charts with ChartMuseum's upload API, `depot tokens` gives the registry's clients their tokens. In a platform, `depot projects`
// is such a repository for each project.
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
	endTime        = 15 * time.Second
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
		return errors.New("expected `depot charts`, `depot tokens` or `depot projects`")
	}
	if os.Args[1] == "projects" {
		return serveProjects(ctx)
	}
	users, err := readUsers(os.Getenv("DEPOT_USERS"))
	if err != nil {
		return err
	}
	var handler http.Handler
	switch os.Args[1] {
	case "charts":
		var all *repository
		if all, err = newRepository(os.Getenv("DEPOT_CHARTS"), alone); err != nil {
			return fmt.Errorf("DEPOT_CHARTS: %w", err)
		}
		handler = open{all, users}
	case "tokens":
		handler, err = newIssuer(os.Getenv("DEPOT_KEY"), os.Getenv("DEPOT_ISSUER"), os.Getenv("DEPOT_SERVICE"), users)
	default:
		err = fmt.Errorf("%q is unknown: expected charts, tokens or projects", os.Args[1])
	}
	if err != nil {
		return err
	}
	log.Printf("serving %s at %s", os.Args[1], os.Getenv("DEPOT_LISTEN"))
	return run(ctx, server(os.Getenv("DEPOT_LISTEN"), handler))
}

func server(address string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              address,
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		WriteTimeout:      2 * requestTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
	}
}

// run serves until the context ends, or one of them fails. Requests that are under way then have a while to end.
func run(ctx context.Context, servers ...*http.Server) error {
	failed := make(chan error, len(servers))
	for _, one := range servers {
		go func() { failed <- one.ListenAndServe() }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	var all error
	for _, one := range servers {
		all = errors.Join(all, one.Shutdown(end))
	}
	return all
}
