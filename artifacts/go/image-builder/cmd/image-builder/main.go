// Builds an image from a Dockerfile inside an ordinary container, with the flags, the log and the exit code of Kaniko's executor.
// It needs neither user namespaces nor a capability beyond a container's usual ones: the base image is unpacked into the container's own
// root folder, commands run there, and what they changed becomes a layer.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	options, err := parseFlags(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	log.begin(options)
	if err := carryOut(ctx, options); err != nil {
		if ctx.Err() != nil {
			fmt.Fprintln(os.Stderr, "the build was ended")
			os.Exit(143)
		}
		fmt.Fprintf(os.Stderr, "error building image: %v\n", err)
		os.Exit(1)
	}
}

func carryOut(ctx context.Context, options *options) error {
	if err := ownContainer(); err != nil {
		return err
	}
	keys, err := readKeys()
	if err != nil {
		return err
	}
	registries := newRegistries(ctx, options, keys)
	// Said at once, not after hours of work.
	if !options.noPush {
		for _, destination := range options.destinations {
			if err := registries.mayPush(destination); err != nil {
				return err
			}
		}
	}
	build, err := newBuild(ctx, options, registries)
	if err != nil {
		return err
	}
	image, err := build.run()
	if err != nil {
		return err
	}
	return registries.push(image)
}

// ownContainer refuses to work where the root folder is that of a machine: it would be overwritten.
func ownContainer() error {
	for _, name := range []string{"/usr", "/bin", "/lib", "/root", "/home"} {
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("the root folder has %s already: images are built in a container of their own, which has nothing but the builder", name)
		}
	}
	return os.MkdirAll(workFolder, 0o700)
}
