package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"go.yaml.in/yaml/v3"
)

const (
	maxChartBytes = 20 << 20
	// Unpacked, as far as it is read: up to the file that says what the chart is.
	maxUnpacked    = 200 << 20
	maxDescription = 1 << 20
)

// Names as Helm takes them, and none that leads out of a folder.
var chartName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$`)

// chart is one version of a chart, as an index lists it: all that its Chart.yaml says, and where its archive is.
type chart struct {
	name    string
	version *semver.Version
	entry   map[string]any
	// Bytes of its Chart.yaml.
	size int
}

// readChart reads what an archive says of itself.
func readChart(archive []byte, created time.Time) (*chart, error) {
	description, err := descriptionIn(archive)
	if err != nil {
		return nil, err
	}
	entry := map[string]any{}
	decoder := yaml.NewDecoder(bytes.NewReader(description))
	if err := decoder.Decode(&entry); err != nil {
		return nil, fmt.Errorf("Chart.yaml: %w", err)
	}
	name, _ := entry["name"].(string)
	if !chartName.MatchString(name) || strings.Contains(name, "..") {
		return nil, fmt.Errorf("Chart.yaml: the name is %q: expected lower-case letters, digits, dots, hyphens and underscores", name)
	}
	said, _ := entry["version"].(string)
	version, err := semver.StrictNewVersion(strings.TrimPrefix(said, "v"))
	if err != nil {
		return nil, fmt.Errorf("Chart.yaml: the version is %q: expected one as 1.2.3 (quoted, where it looks like a number)", said)
	}
	digest := sha256.Sum256(archive)
	entry["digest"] = hex.EncodeToString(digest[:])
	entry["created"] = created.UTC().Format(time.RFC3339)
	entry["urls"] = []string{"charts/" + fileOf(name, said)}
	return &chart{name: name, version: version, entry: entry, size: len(description)}, nil
}

func (c *chart) said() string { return c.entry["version"].(string) }

func (c *chart) file() string { return fileOf(c.name, c.said()) }

func fileOf(name, version string) string { return name + "-" + version + ".tgz" }

// descriptionIn finds FOLDER/Chart.yaml in the archive.
func descriptionIn(archive []byte) ([]byte, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, errors.New("no archive of a chart: expected a .tgz, as `helm package` makes it")
	}
	files := tar.NewReader(io.LimitReader(unpacked, maxUnpacked))
	for {
		header, err := files.Next()
		if err == io.EOF {
			return nil, errors.New("no Chart.yaml in it: expected the .tgz of a chart, as `helm package` makes it")
		}
		if err != nil {
			return nil, fmt.Errorf("the archive is damaged, or unpacks to more than %d MiB before its Chart.yaml", maxUnpacked>>20)
		}
		if header.Typeflag != tar.TypeReg || strings.Count(header.Name, "/") != 1 || !strings.HasSuffix(header.Name, "/Chart.yaml") {
			continue
		}
		if header.Size > maxDescription {
			return nil, fmt.Errorf("Chart.yaml has %d bytes: at most %d are read", header.Size, maxDescription)
		}
		return io.ReadAll(files)
	}
}
