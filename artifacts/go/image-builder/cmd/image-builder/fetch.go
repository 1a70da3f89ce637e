package main

import (
	"archive/tar"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
)

// A file that ADD fetches is held in memory until it is known.
const maxFetched = 256 << 20

type remoteFile struct {
	name, digest string
	content      []byte
	modified     time.Time
}

func isURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}

func fetch(ctx context.Context, source, checksum string) (remoteFile, error) {
	address, err := url.Parse(source)
	if err != nil {
		return remoteFile{}, err
	}
	file := remoteFile{name: path.Base(address.Path), modified: time.Unix(0, 0)}
	if file.name == "/" || file.name == "." {
		return file, fmt.Errorf("%s: the address says no name of a file", source)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return file, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return file, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return file, fmt.Errorf("%s: status %s", source, answer.Status)
	}
	if file.content, err = io.ReadAll(io.LimitReader(answer.Body, maxFetched+1)); err != nil {
		return file, err
	}
	if len(file.content) > maxFetched {
		return file, fmt.Errorf("%s has more than %d bytes: fetch it in a RUN", source, maxFetched)
	}
	if at, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
		file.modified = at
	}
	sum := sha256.Sum256(file.content)
	file.digest = "sha256:" + hex.EncodeToString(sum[:])
	if checksum != "" && checksum != file.digest {
		return file, fmt.Errorf("%s: expected %s, found %s", source, checksum, file.digest)
	}
	return file, nil
}

var errPacked = errors.New("ADD unpacks no xz or zstd here: COPY it, and unpack it in a RUN")

type archive struct {
	io.Reader
	file *os.File
}

func (a *archive) Close() error { return a.file.Close() }

// archiveIn opens a tar, also a compressed one. @returns nil for any other file
func archiveIn(place string) (io.ReadCloser, error) {
	file, err := os.Open(place)
	if err != nil {
		return nil, err
	}
	opened, err := decompressed(file)
	if errors.Is(err, errPacked) {
		return nil, errors.Join(err, file.Close())
	}
	if err == nil {
		// Read once to see what it is, and from the start for its use.
		_, notTar := tar.NewReader(opened).Next()
		if _, back := file.Seek(0, io.SeekStart); notTar == nil && back == nil {
			again, err := decompressed(file)
			return &archive{again, file}, err
		}
	}
	return nil, file.Close()
}

func decompressed(file io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(file)
	magic, _ := buffered.Peek(6)
	switch {
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		return gzip.NewReader(buffered)
	case strings.HasPrefix(string(magic), "BZh"):
		return bzip2.NewReader(buffered), nil
	case strings.HasPrefix(string(magic), "\xfd7zXZ"), strings.HasPrefix(string(magic), "\x28\xb5\x2f\xfd"):
		return nil, errPacked
	}
	return buffered, nil
}
