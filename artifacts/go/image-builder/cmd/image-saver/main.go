// Makes an image of a job's container, on the node where it runs: the layers of its image, and one with what the container has
// changed. It reads the disk of containerd and never speaks to it, so that it can change nothing there: it needs the right to read
// files of other users (CAP_DAC_READ_SEARCH), and no other.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// settings are those of one node.
type settings struct {
	// Where the containers' bundles are, with their root folders mounted: one folder for each container, named by its id.
	tasks string
	// Where containerd has contents of images by digest.
	content string
	// Where layers are put together.
	scratch string
	// The most bytes of one layer, compressed.
	mostBytes int64
	// The file of the secret that whoever asks must show. It is read for each request.
	tokenFile string
}

const (
	// The most at once: the disk for layers is that of one node's temporary folder.
	mostSaves    = 1
	mostLayer    = 8 << 30
	maxBodyBytes = 64 << 10
)

func main() {
	if err := becomeUser(os.Getenv("DELOS_SAVER_USER")); err != nil {
		fail(err)
	}
	s := settings{
		tasks:     setting("DELOS_SAVER_TASKS", "/run/containerd/io.containerd.runtime.v2.task/k8s.io"),
		content:   setting("DELOS_SAVER_CONTENT", "/var/lib/containerd/io.containerd.content.v1.content"),
		scratch:   setting("DELOS_SAVER_SCRATCH", "/tmp"),
		tokenFile: setting("DELOS_SAVER_TOKEN_FILE", "/etc/delos-secrets/image-saver/token"),
		mostBytes: mostLayer,
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	// What a former process left.
	if err := clearScratch(s.scratch); err != nil {
		fail(err)
	}
	server := &http.Server{
		Addr: setting("DELOS_SAVER_ADDRESS", ":8080"), Handler: newHandler(s),
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10,
	}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.ListenAndServe(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		fail(err)
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
