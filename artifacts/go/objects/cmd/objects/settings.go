package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// settings come from the environment, secrets from files that it names.
type settings struct {
	// Folder of the volume.
	data string
	// Port of S3, and of health and metrics.
	port, internalPort int
	// Folder with a folder for each bucket that a service has of its own, in which a file has its secret.
	buckets string
	admin   *liveSecret
	signing *liveSecret
	// Signs for buckets of projects alone; nil: there are no such buckets.
	projects *liveSecret
	// What a project's bucket may hold.
	projectMost quota
	owners      map[string]*liveSecret
	// How long a multipart upload may stay unended.
	uploadLife time.Duration
}

const (
	bucketSecret   = "secret-key"
	minSecretBytes = 32
)

func readSettings(get func(string) string) (settings, error) {
	var read settings
	var err error
	if read.port, err = port(get, "DELOS_OBJECTS_PORT"); err != nil {
		return read, err
	}
	if read.internalPort, err = port(get, "DELOS_OBJECTS_INTERNAL_PORT"); err != nil {
		return read, err
	}
	if read.data = get("DELOS_OBJECTS_DATA"); !filepath.IsAbs(read.data) {
		return read, fmt.Errorf("DELOS_OBJECTS_DATA is %q: expected the absolute path of the volume", read.data)
	}
	read.uploadLife = 24 * time.Hour
	if life := get("DELOS_OBJECTS_UPLOAD_SECONDS"); life != "" {
		seconds, err := strconv.Atoi(life)
		if err != nil || seconds < 1 {
			return read, fmt.Errorf("DELOS_OBJECTS_UPLOAD_SECONDS is %q: expected a number of seconds from 1", life)
		}
		read.uploadLife = time.Duration(seconds) * time.Second
	}
	if read.admin, err = openSecret(get("DELOS_OBJECTS_ADMIN_FILE")); err != nil {
		return read, fmt.Errorf("DELOS_OBJECTS_ADMIN_FILE: %w", err)
	}
	if read.signing, err = openSecret(get("DELOS_OBJECTS_SIGNING_FILE")); err != nil {
		return read, fmt.Errorf("DELOS_OBJECTS_SIGNING_FILE: %w", err)
	}
	if file := get("DELOS_OBJECTS_PROJECTS_FILE"); file != "" {
		if read.projects, err = openSecret(file); err != nil {
			return read, fmt.Errorf("DELOS_OBJECTS_PROJECTS_FILE: %w", err)
		}
	}
	for name, into := range map[string]*int64{
		"DELOS_OBJECTS_BUCKET_BYTES":   &read.projectMost.bytes,
		"DELOS_OBJECTS_BUCKET_OBJECTS": &read.projectMost.objects,
	} {
		*into = math.MaxInt64
		if text := get(name); text != "" {
			if *into, err = strconv.ParseInt(text, 10, 64); err != nil || *into < 1 {
				return read, fmt.Errorf("%s is %q: expected a whole number from 1", name, text)
			}
		}
	}
	read.owners, err = owners(get("DELOS_OBJECTS_BUCKETS"))
	return read, err
}

func port(get func(string) string, name string) (int, error) {
	number, err := strconv.Atoi(get(name))
	if err != nil || number < 1 || number > 65535 {
		return 0, fmt.Errorf("%s is %q: expected a port from 1 to 65535", name, get(name))
	}
	return number, nil
}

// secretLines reads a file of secrets, one a line.
func secretLines(path string) ([][]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := bytes.Fields(text)
	if len(lines) == 0 {
		return nil, fmt.Errorf("%s is empty: expected a secret", path)
	}
	for _, line := range lines {
		if len(line) < minSecretBytes {
			return nil, fmt.Errorf("%s has a secret of %d characters: expected %d at least", path, len(line), minSecretBytes)
		}
	}
	return lines, nil
}

func owners(folder string) (map[string]*liveSecret, error) {
	found := map[string]*liveSecret{}
	if folder == "" {
		return found, nil
	}
	entries, err := os.ReadDir(folder)
	if os.IsNotExist(err) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		bucket := entry.Name()
		if !bucketForm.MatchString(bucket) {
			return nil, fmt.Errorf("%s: %q cannot be the name of a bucket", folder, bucket)
		}
		if found[bucket], err = openSecret(filepath.Join(folder, bucket, bucketSecret)); err != nil {
			return nil, err
		}
	}
	return found, nil
}
