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

// repository is a folder of archives. What its index says follows from them: a process that is killed leaves a whole archive or
// none, and the next one reads the folder anew.
type repository struct {
	folder string
	bounds bounds

	lock   sync.RWMutex
	charts map[string][]*chart // by name, the highest version first
	count  int
	said   int    // bytes of all Chart.yaml
	index  []byte // undefined after a change
}

func newRepository(folder string, within bounds) (*repository, error) {
	r := &repository{folder: folder, bounds: within, charts: map[string][]*chart{}}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
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
		if err := r.admit(one); err != nil {
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

// admit takes the room of a chart that comes in place of what has its version. It says no before anything has changed.
func (r *repository) admit(one *chart) error {
	count, said := 1, one.size
	if known := r.find(one.name, one.said()); known != nil {
		count, said = 0, one.size-known.size
	}
	if one.size > r.bounds.description {
		return badRequest{fmt.Errorf("Chart.yaml has %d bytes: at most %d are taken", one.size, r.bounds.description)}
	}
	if r.count+count > r.bounds.charts {
		return full("the repository holds %d charts, and takes no more: remove some that nobody needs", r.bounds.charts)
	}
	if said > 0 && r.said+said > r.bounds.descriptions {
		return full("what its charts say in their Chart.yaml is %d KiB, and no more is taken: remove some that nobody needs", r.bounds.descriptions>>10)
	}
	return r.bounds.shared.take(count, said)
}

// forget gives the room back of a chart that goes, or that did not come.
func (r *repository) forget(one *chart, known *chart) {
	count, said := 1, one.size
	if known != nil {
		count, said = 0, one.size-known.size
	}
	_ = r.bounds.shared.take(-count, -said)
}

// put adds a chart to what is known, in place of one of its version.
func (r *repository) put(one *chart) {
	r.drop(one.name, one.said())
	at, _ := slices.BinarySearchFunc(r.charts[one.name], one, func(a, b *chart) int { return b.version.Compare(a.version) })
	r.charts[one.name] = slices.Insert(r.charts[one.name], at, one)
	r.count++
	r.said += one.size
	r.index = nil
}

func (r *repository) drop(name, version string) bool {
	at := slices.IndexFunc(r.charts[name], func(one *chart) bool { return one.said() == version })
	if at < 0 {
		return false
	}
	r.said -= r.charts[name][at].size
	left := slices.Delete(r.charts[name], at, at+1)
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
	known := r.find(one.name, one.said())
	if known != nil && !force {
		return nil, errExists
	}
	if err := r.requireBytes(int64(len(archive) + len(signature))); err != nil {
		return nil, err
	}
	if err := r.admit(one); err != nil {
		return nil, err
	}
	if signature != nil {
		if err := r.write(one.file()+".prov", signature); err != nil {
			r.forget(one, known)
			return nil, err
		}
	}
	if err := r.write(one.file(), archive); err != nil {
		r.forget(one, known)
		return nil, err
	}
	r.put(one)
	return one, nil
}

// requireBytes says no to what the volume has no room for, or the repository's limit. What a new file replaces still counts.
func (r *repository) requireBytes(more int64) error {
	_, free, err := space(r.folder)
	if err != nil {
		return err
	}
	if free < more+reserve {
		return errNoRoom
	}
	if r.bounds.bytes == 0 {
		return nil
	}
	used, err := r.size()
	if err != nil {
		return err
	}
	if used+more > r.bounds.bytes {
		return full("the charts of this project have %d of %d MiB, and these are %d more: remove some that nobody needs", used>>20, r.bounds.bytes>>20, more>>20)
	}
	return nil
}

// size is the bytes of all files.
func (r *repository) size() (int64, error) {
	entries, err := os.ReadDir(r.folder)
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		sum += info.Size()
	}
	return sum, nil
}

func (r *repository) saveSignature(signature []byte) error {
	name, err := signed(signature)
	if err != nil {
		return badRequest{err}
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if _, err := os.Stat(filepath.Join(r.folder, name)); r.bounds.shared != nil && err != nil {
		return badRequest{fmt.Errorf("there is no chart %s that this is the signature of: upload that first", name)}
	}
	if err := r.requireBytes(int64(len(signature))); err != nil {
		return err
	}
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
	r.forget(one, nil)
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
