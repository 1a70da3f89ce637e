package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"filippo.io/age"
)

// settings come from the environment, secrets from files that it names, which are read anew where they are used.
type settings struct {
	port                         int
	host, user, passwordFile     string
	databasePort                 int
	endpoint                     *url.URL
	region, bucket               string
	accessKey, secretFile, trust string
	// The first encrypts, all of them decrypt. Empty: nothing is encrypted.
	keys []*age.X25519Identity
	// A commit is in the bucket within this time.
	within time.Duration
	// How often a base backup is taken, and for how long one can go back.
	every, keep time.Duration
	// Name of the replication slot, by which the database keeps what is not in the bucket yet.
	slot string
}

func readSettings(get func(string) string) (settings, error) {
	var read settings
	var err error
	text := func(name string, into *string) {
		if *into = get(name); *into == "" && err == nil {
			err = fmt.Errorf("%s is empty", name)
		}
	}
	number := func(name string, least int) int {
		value, wrong := strconv.Atoi(get(name))
		if err == nil && (wrong != nil || value < least) {
			err = fmt.Errorf("%s is %q: expected a whole number from %d", name, get(name), least)
		}
		return value
	}
	var endpoint string
	read.port = number("DELOS_ARCHIVE_PORT", 1)
	read.databasePort = number("PGPORT", 1)
	text("PGHOST", &read.host)
	text("PGUSER", &read.user)
	text("PGPASSWORD_FILE", &read.passwordFile)
	text("S3_ENDPOINT", &endpoint)
	text("S3_REGION", &read.region)
	text("S3_BUCKET", &read.bucket)
	text("S3_ACCESS_KEY", &read.accessKey)
	text("S3_SECRET_KEY_FILE", &read.secretFile)
	read.trust = get("S3_CA_FILE")
	read.within = time.Duration(number("DELOS_ARCHIVE_WITHIN_SECONDS", 1)) * time.Second
	read.every = time.Duration(number("DELOS_ARCHIVE_BASE_SECONDS", 1)) * time.Second
	read.keep = time.Duration(number("DELOS_ARCHIVE_KEEP_SECONDS", 1)) * time.Second
	if read.slot = get("DELOS_ARCHIVE_SLOT"); read.slot == "" {
		read.slot = "archive"
	}
	if err != nil {
		return read, err
	}
	if read.endpoint, err = url.Parse(endpoint); err != nil || read.endpoint.Host == "" {
		return read, fmt.Errorf("S3_ENDPOINT is %q: expected http(s)://HOST[:PORT]", endpoint)
	}
	if file := get("DELOS_ARCHIVE_KEY_FILE"); file != "" {
		read.keys, err = keysIn(file)
	}
	return read, err
}

// keysIn reads age identities, a line each, as `delos backup --new-key` and age-keygen write them. Errors never quote a line.
func keysIn(file string) ([]*age.X25519Identity, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the key of the archive: %w", err)
	}
	var keys []*age.X25519Identity
	for _, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		key, err := age.ParseX25519Identity(string(line))
		if err != nil {
			return nil, fmt.Errorf("%s holds a line that is no age key: expected AGE-SECRET-KEY-1…, as `delos backup --new-key` writes it", file)
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%s holds no age key: expected a line AGE-SECRET-KEY-1…, as `delos backup --new-key` writes it", file)
	}
	return keys, nil
}

func secretIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	return string(bytes.TrimRight(text, "\r\n")), nil
}
