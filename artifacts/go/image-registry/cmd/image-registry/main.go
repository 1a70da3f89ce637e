// Command image-registry is the platform's registry of images: distribution 3, with what that lacks in the same process: it gives the
// space of images that were removed back while it serves, and holds each project to its quota.
//
//	image-registry serve CONFIG        serves
//	image-registry collect [SECONDS]   has the serving process collect now; SECONDS is how long unused blobs are kept
//	image-registry usage               prints the bytes of each project
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/distribution/distribution/v3/registry"
	_ "github.com/distribution/distribution/v3/registry/auth/token"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/prometheus/client_golang/prometheus"
)

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run(args []string) error {
	given, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(given)
	case len(args) == 1 && args[0] == "usage":
		return printUsage(given)
	case len(args) >= 1 && len(args) <= 2 && args[0] == "collect":
		grace := given.grace
		if len(args) == 2 {
			seconds, err := strconv.Atoi(args[1])
			if err != nil || seconds < 1 {
				return fmt.Errorf("collect: %q is no number of seconds from 1", args[1])
			}
			grace = time.Duration(seconds) * time.Second
		}
		return askToCollect(given, grace)
	}
	return fmt.Errorf("expected: serve CONFIG | collect [SECONDS] | usage")
}

// serve runs distribution's own server, which reads its settings from the argument, within the guard.
func serve(given settings) error {
	files := store{given.root}
	guard := &guard{
		files: files,
		fence: newFence(),
		quota: newQuota(files, given),
		now:   time.Now,
	}
	if err := registerLiveToken(); err != nil {
		return err
	}
	if err := guard.register(); err != nil {
		return err
	}
	if err := registerStates(given.secretFile); err != nil {
		return err
	}
	collector := newCollector(given, guard)
	if err := collector.listen(); err != nil {
		return err
	}
	prometheus.MustRegister(collector)
	go collector.run()
	return registry.RootCmd.Execute()
}

func printUsage(given settings) error {
	used := map[string]int64{}
	files := store{given.root}
	if err := files.projects(func(project string) error {
		of, err := files.usage(project, given.grace, given.atOnce)
		used[project] = of.sum()
		return err
	}); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(used)
}
