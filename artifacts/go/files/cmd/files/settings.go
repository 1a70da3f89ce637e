package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// settings come from the environment. None is secret.
type settings struct {
	// Folder of the volume.
	data string
	// Port of clients, and of health and metrics.
	port, internalPort int
	// Where the control API is, without a slash at its end.
	api string
	// Between two looks at what projects use.
	scanPause time.Duration
}

func readSettings(get func(string) string) (settings, error) {
	var read settings
	var err error
	if read.port, err = port(get, "DELOS_FILES_PORT"); err != nil {
		return read, err
	}
	if read.internalPort, err = port(get, "DELOS_FILES_INTERNAL_PORT"); err != nil {
		return read, err
	}
	if read.data = get("DELOS_FILES_DATA"); !filepath.IsAbs(read.data) {
		return read, fmt.Errorf("DELOS_FILES_DATA is %q: expected the absolute path of the volume", read.data)
	}
	read.api = strings.TrimRight(get("DELOS_API_URL"), "/")
	if given, err := url.Parse(read.api); err != nil || given.Host == "" {
		return read, fmt.Errorf("DELOS_API_URL is %q: expected http://HOST:PORT of the control API", read.api)
	}
	read.scanPause = time.Minute
	if text := get("DELOS_FILES_SCAN_SECONDS"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < 1 {
			return read, fmt.Errorf("DELOS_FILES_SCAN_SECONDS is %q: expected a number of seconds from 1", text)
		}
		read.scanPause = time.Duration(seconds) * time.Second
	}
	return read, nil
}

func port(get func(string) string, name string) (int, error) {
	number, err := strconv.Atoi(get(name))
	if err != nil || number < 1 || number > 65535 {
		return 0, fmt.Errorf("%s is %q: expected a port from 1 to 65535", name, get(name))
	}
	return number, nil
}
