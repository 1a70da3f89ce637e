package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// Charts that one repository holds: each takes some KiB of memory.
const maxCharts = 20_000

var (
	errExists = errors.New("file already exists")
	errFull   = fmt.Errorf("the repository holds %d charts, and takes no more", maxCharts)
)

// repository is a folder of archives. What its index says follows from them: a process that is killed leaves a whole archive or
// none, and the next one reads the folder anew.
type repository struct {
	folder string
	users  users

	lock   sync.RWMutex
	charts map[string][]*chart // by name, the highest version first
	count  int
	index  []byte // undefined after a change
}

func newRepository(folder string, all users) (*repository, error) {
	r := &repository{folder: folder, users: all, charts: map[string][]*chart{}}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("DEPOT_CHARTS: %w", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if strings.HasPrefix(entry.Name(), ".") {
			// What was not written to its end.
			if err := os.Remove(path); err != nil {
				return nil, err
			}
			continue
		}
		if !strings.HasSuffix(entry.Name(), ".tgz") {
			continue
		}
		one, err := loadChart(path)
		if err != nil {
			log.Printf("%s is left out: %v", entry.Name(), err)
			continue
		}
		r.put(one)
	}
	return r, nil
}

func loadChart(path string) (*chart, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxChartBytes {
		return nil, fmt.Errorf("it has %d bytes: at most %d are taken", info.Size(), maxChartBytes)
	}
	archive, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	one, err := readChart(archive, info.ModTime())
	if err == nil && one.file() != filepath.Base(path) {
		return nil, fmt.Errorf("it is %s", one.file())
	}
	return one, err
}

// put adds a chart to what is known, in place of one of its version.
func (r *repository) put(one *chart) {
	r.drop(one.name, one.said())
	at, _ := slices.BinarySearchFunc(r.charts[one.name], one, func(a, b *chart) int { return b.version.Compare(a.version) })
	r.charts[one.name] = slices.Insert(r.charts[one.name], at, one)
	r.count++
	r.index = nil
}

func (r *repository) drop(name, version string) bool {
	before := len(r.charts[name])
	left := slices.DeleteFunc(r.charts[name], func(one *chart) bool { return one.said() == version })
	if len(left) == before {
		return false
	}
	r.charts[name] = left
	if len(left) == 0 {
		delete(r.charts, name)
	}
	r.count--
	r.index = nil
	return true
}

func (r *repository) find(name, version string) *chart {
	for _, one := range r.charts[name] {
		if one.said() == version || version == "latest" {
			return one
		}
	}
	return nil
}

// save keeps an archive, and its signature where there is one. It is on the disk when this ends.
func (r *repository) save(archive, signature []byte, force bool) (*chart, error) {
	one, err := readChart(archive, time.Now())
	if err != nil {
		return nil, badRequest{err}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	known := r.find(one.name, one.said()) != nil
	if known && !force {
		return nil, errExists
	}
	if !known && r.count >= maxCharts {
		return nil, errFull
	}
	if signature != nil {
		if err := r.write(one.file()+".prov", signature); err != nil {
			return nil, err
		}
	}
	if err := r.write(one.file(), archive); err != nil {
		return nil, err
	}
	r.put(one)
	return one, nil
}

func (r *repository) saveSignature(signature []byte) error {
	name, err := signed(signature)
	if err != nil {
		return badRequest{err}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	return r.write(name+".prov", signature)
}

// signed is the file that a signature is of: it is named in its list of digests.
func signed(signature []byte) (string, error) {
	_, list, ok := bytes.Cut(signature, []byte("\nfiles:\n"))
	line, _, _ := strings.Cut(strings.TrimLeft(string(list), " "), ":")
	if !ok || !strings.HasSuffix(line, ".tgz") || line != filepath.Base(line) || strings.HasPrefix(line, ".") {
		return "", errors.New("no signature of a chart: expected a .prov, as `helm package --sign` makes it")
	}
	return line, nil
}

func (r *repository) remove(name, version string) error {
	r.lock.Lock()
	defer r.lock.Unlock()
	one := r.find(name, version)
	if one == nil {
		return fs.ErrNotExist
	}
	for _, file := range []string{one.file() + ".prov", one.file()} {
		if err := os.Remove(filepath.Join(r.folder, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	r.drop(name, one.said())
	return nil
}

// write gives a file its name when it is whole.
func (r *repository) write(name string, content []byte) error {
	part, err := os.CreateTemp(r.folder, ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	_, err = part.Write(content)
	if err = errors.Join(err, part.Sync(), part.Chmod(0o644), part.Close()); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), filepath.Join(r.folder, name)); err != nil {
		return err
	}
	folder, err := os.Open(r.folder)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// text is the index, as `helm repo index` writes it.
func (r *repository) text() ([]byte, error) {
	r.lock.RLock()
	text := r.index
	r.lock.RUnlock()
	if text != nil {
		return text, nil
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	text, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1",
		"entries":    r.listed(),
		"generated":  time.Now().UTC().Format(time.RFC3339),
	})
	r.index = text
	return text, err
}

// listed is what is known, by name.
func (r *repository) listed() map[string][]map[string]any {
	all := make(map[string][]map[string]any, len(r.charts))
	for name := range r.charts {
		all[name] = r.versions(name)
	}
	return all
}

func (r *repository) versions(name string) []map[string]any {
	entries := make([]map[string]any, 0, len(r.charts[name]))
	for _, one := range r.charts[name] {
		entries = append(entries, one.entry)
	}
	return entries
}
