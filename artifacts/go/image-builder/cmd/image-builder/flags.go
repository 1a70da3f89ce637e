package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// The flags of Kaniko's executor that this builder has. One that is not here is refused, never passed over.
// https://github.com/GoogleContainerTools/kaniko?tab=readme-ov-file#additional-flags
type options struct {
	context, subPath, dockerfile   string
	destinations                   []string
	noPush                         bool
	cache, cacheCopies, cacheRuns  bool
	cacheRepo                      string
	cacheTTL                       time.Duration
	buildArgs, labels, ignored     []string
	target, platform               string
	verbosity, logFormat           string
	logTimes                       bool
	singleSnapshot                 bool
	pushRetries, pullRetries       int
	extractRetries                 int
	digestFile, nameWithDigestFile string
	snapshotMode                   string
}

func parseFlags(arguments []string) (*options, error) {
	o := &options{}
	flags := pflag.NewFlagSet("executor", pflag.ContinueOnError)
	flags.StringVarP(&o.context, "context", "c", "/workspace/", "Folder of the build")
	flags.StringVar(&o.subPath, "context-sub-path", "", "Folder below it")
	flags.StringVarP(&o.dockerfile, "dockerfile", "f", "Dockerfile", "The Dockerfile")
	flags.StringArrayVarP(&o.destinations, "destination", "d", nil, "Name of the image; may be said several times")
	flags.BoolVar(&o.noPush, "no-push", false, "Build, and push nothing")
	flags.BoolVar(&o.cache, "cache", false, "Keep layers of commands, and take them from there")
	flags.BoolVar(&o.cacheCopies, "cache-copy-layers", false, "Also those of COPY")
	flags.BoolVar(&o.cacheRuns, "cache-run-layers", true, "Those of RUN")
	flags.StringVar(&o.cacheRepo, "cache-repo", "", "Repository of kept layers")
	flags.DurationVar(&o.cacheTTL, "cache-ttl", 14*24*time.Hour, "How long a kept layer is good")
	flags.StringArrayVar(&o.buildArgs, "build-arg", nil, "NAME=VALUE of an ARG; NAME alone: from the environment")
	flags.StringArrayVar(&o.labels, "label", nil, "NAME=VALUE of a label")
	flags.StringArrayVar(&o.ignored, "ignore-path", nil, "What no layer has")
	flags.StringVar(&o.target, "target", "", "The stage to build")
	flags.StringVar(&o.platform, "custom-platform", "", "OS/ARCHITECTURE of base images")
	flags.StringVarP(&o.verbosity, "verbosity", "v", "info", "trace, debug, info, warn, error, fatal or panic")
	flags.StringVar(&o.logFormat, "log-format", "color", "text, color or json")
	flags.BoolVar(&o.logTimes, "log-timestamp", false, "Times in the log")
	flags.BoolVar(&o.singleSnapshot, "single-snapshot", false, "One layer for all commands")
	flags.IntVar(&o.pushRetries, "push-retry", 0, "How often a failed push is tried again")
	flags.IntVar(&o.pullRetries, "image-download-retry", 0, "How often a failed pull is tried again")
	flags.IntVar(&o.extractRetries, "image-fs-extract-retry", 0, "How often unpacking a base image is tried again")
	flags.StringVar(&o.digestFile, "digest-file", "", "File that gets the image's digest")
	flags.StringVar(&o.nameWithDigestFile, "image-name-with-digest-file", "", "File that gets names with digests")
	flags.StringVar(&o.snapshotMode, "snapshot-mode", "full", "full, redo or time")
	// Without a meaning here: layers are always found by the files' metadata, nothing is left behind, layers are
	// always compressed, stages that nothing needs are left out, and what is mounted at /var/run is no part of an image.
	for _, name := range []string{"use-new-run", "cleanup", "force", "compressed-caching", "skip-unused-stages", "ignore-var-run"} {
		flags.Bool(name, false, "Taken, and without effect")
	}
	if err := flags.Parse(arguments); err != nil {
		return nil, err
	}
	switch {
	case len(flags.Args()) > 0:
		return nil, fmt.Errorf("expected flags alone, found %q", strings.Join(flags.Args(), " "))
	case len(o.destinations) == 0 && !o.noPush:
		return nil, errors.New("you must provide --destination, or use --no-push")
	case len(o.destinations) == 0 && o.cache && o.cacheRepo == "":
		return nil, errors.New("if using cache with --no-push, specify cache repo with --cache-repo")
	case strings.Contains(o.context, "://") && !strings.HasPrefix(o.context, "dir://"):
		return nil, fmt.Errorf("--context %s: this builder takes a folder", o.context)
	}
	o.context = strings.TrimPrefix(o.context, "dir://")
	return o, nil
}
