package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// settings come from the environment.
type settings struct {
	// Folder that distribution calls `rootdirectory`.
	root string
	// Socket by which the commands ask the serving process.
	socket string
	// File of the secret that signs where an upload stands.
	secretFile string
	// What is not part of an image is kept so long after it was last asked for.
	grace time.Duration
	// Between two collections.
	every time.Duration
	// How long a manifest stays after its last tag has gone; 0: for ever.
	keepUntagged time.Duration
	// Bytes of each project; 0: no limit.
	projectLimit int64
	// Bytes of projects that have a limit of their own, by ORG/PROJECT.
	limits map[string]int64
	// Digests that each of its sets has room for: 100 bytes each.
	atOnce int
}

func readSettings(get func(string) string) (settings, error) {
	read := settings{
		root: get("DELOS_IMAGES_ROOT"), socket: get("DELOS_IMAGES_SOCKET"), secretFile: get("DELOS_IMAGES_SECRET_FILE"),
	}
	for name, path := range map[string]string{
		"DELOS_IMAGES_ROOT": read.root, "DELOS_IMAGES_SOCKET": read.socket, "DELOS_IMAGES_SECRET_FILE": read.secretFile,
	} {
		if !filepath.IsAbs(path) {
			return read, fmt.Errorf("%s is %q: expected an absolute path", name, path)
		}
	}
	for name, value := range map[string]*time.Duration{
		"DELOS_IMAGES_GRACE_SECONDS":         &read.grace,
		"DELOS_IMAGES_COLLECT_SECONDS":       &read.every,
		"DELOS_IMAGES_KEEP_UNTAGGED_SECONDS": &read.keepUntagged,
	} {
		seconds, err := strconv.Atoi(get(name))
		if err != nil || seconds < 0 || (seconds == 0 && value != &read.keepUntagged) {
			return read, fmt.Errorf("%s is %q: expected a number of seconds", name, get(name))
		}
		*value = time.Duration(seconds) * time.Second
	}
	read.atOnce = 300_000
	if text := get("DELOS_IMAGES_AT_ONCE"); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 {
			return read, fmt.Errorf("DELOS_IMAGES_AT_ONCE is %q: expected a number from 1", text)
		}
		read.atOnce = number
	}
	var err error
	if text := get("DELOS_IMAGES_PROJECT_LIMIT"); text != "" {
		if read.projectLimit, err = strconv.ParseInt(text, 10, 64); err != nil || read.projectLimit < 0 {
			return read, fmt.Errorf("DELOS_IMAGES_PROJECT_LIMIT is %q: expected a number of bytes", text)
		}
	}
	if path := get("DELOS_IMAGES_LIMITS_FILE"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return read, fmt.Errorf("DELOS_IMAGES_LIMITS_FILE: %w", err)
		}
		if err := json.Unmarshal(text, &read.limits); err != nil {
			return read, fmt.Errorf("DELOS_IMAGES_LIMITS_FILE: %s: %w", path, err)
		}
	}
	return read, nil
}
