package main

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Upper bounds of durations, in seconds.
var durations = []float64{0.002, 0.01, 0.05, 0.2, 1, 5, 30}

// Projects whose usage is told, the largest first.
const maxToldProjects = 500

// requestMetrics counts requests, by their operation and the class of their answer: a few dozen series, whatever comes.
type requestMetrics struct {
	underWay atomic.Int64
	lock     sync.Mutex
	counts   map[[2]string]uint64
	times    map[string]*histogram
	taken    int64
	given    int64
}

type histogram struct {
	buckets []uint64
	sum     float64
	count   uint64
}

func newRequestMetrics() *requestMetrics {
	return &requestMetrics{counts: map[[2]string]uint64{}, times: map[string]*histogram{}}
}

func (m *requestMetrics) begin() { m.underWay.Add(1) }

func (m *requestMetrics) end(op string, status int, took time.Duration, taken, given int64) {
	m.underWay.Add(-1)
	class := "broken"
	if status >= 200 && status < 600 {
		class = fmt.Sprintf("%dxx", status/100)
	}
	if status == 503 {
		class = "busy"
	}
	m.lock.Lock()
	defer m.lock.Unlock()
	m.counts[[2]string{op, class}]++
	m.taken += taken
	m.given += given
	times := m.times[op]
	if times == nil {
		times = &histogram{buckets: make([]uint64, len(durations))}
		m.times[op] = times
	}
	times.count++
	times.sum += took.Seconds()
	for nth, bound := range durations {
		if took.Seconds() <= bound {
			times.buckets[nth]++
		}
	}
}

// write answers in Prometheus' text format.
//
// https://prometheus.io/docs/instrumenting/exposition_formats/
func (m *requestMetrics) write(out io.Writer, files *volume, used *usage) {
	m.lock.Lock()
	defer m.lock.Unlock()
	kind(out, "delos_files_requests_total", "counter", "Requests, by operation and the class of the answer.")
	keys := make([][2]string, 0, len(m.counts))
	for key := range m.counts {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(a, b int) bool { return keys[a][0]+keys[a][1] < keys[b][0]+keys[b][1] })
	for _, key := range keys {
		fmt.Fprintf(out, "delos_files_requests_total{op=%q,answer=%q} %d\n", key[0], key[1], m.counts[key])
	}
	kind(out, "delos_files_request_duration_seconds", "histogram", "From the request's headers to the end of its answer.")
	names := make([]string, 0, len(m.times))
	for name := range m.times {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		times := m.times[name]
		for nth, bound := range durations {
			fmt.Fprintf(out, "delos_files_request_duration_seconds_bucket{op=%q,le=\"%g\"} %d\n", name, bound, times.buckets[nth])
		}
		fmt.Fprintf(out, "delos_files_request_duration_seconds_bucket{op=%q,le=\"+Inf\"} %d\n", name, times.count)
		fmt.Fprintf(out, "delos_files_request_duration_seconds_sum{op=%q} %g\n", name, times.sum)
		fmt.Fprintf(out, "delos_files_request_duration_seconds_count{op=%q} %d\n", name, times.count)
	}
	single(out, "delos_files_received_bytes_total", "counter", "Bytes of bodies that were taken.", m.taken)
	single(out, "delos_files_sent_bytes_total", "counter", "Bytes of answers.", m.given)
	single(out, "delos_files_requests_under_way", "gauge", "Requests that are not answered yet.", m.underWay.Load())
	used.write(out)
	var disk unix.Statfs_t
	if unix.Fstatfs(files.uploads, &disk) == nil {
		single(out, "delos_files_volume_bytes", "gauge", "Size of the volume.", int64(disk.Blocks)*disk.Bsize)
		single(out, "delos_files_volume_free_bytes", "gauge", "What files can still take of the volume.", int64(disk.Bavail)*disk.Bsize)
		single(out, "delos_files_volume_files", "gauge", "Files that the volume can have; 0 where it has no such limit.", int64(disk.Files))
		single(out, "delos_files_volume_free_files", "gauge", "Files that the volume can still take.", int64(disk.Ffree))
	}
}

func (u *usage) write(out io.Writer) {
	u.lock.Lock()
	all := make([]projectUsage, 0, len(u.of))
	for _, each := range u.of {
		all = append(all, *each)
	}
	u.lock.Unlock()
	sort.Slice(all, func(a, b int) bool { return all[a].seen > all[b].seen })
	hidden := int64(0)
	kind(out, "delos_files_project_bytes", "gauge", "What the files of a project take, when they were looked at; of the largest projects.")
	for nth, each := range all {
		hidden += each.hidden
		if nth < maxToldProjects {
			fmt.Fprintf(out, "delos_files_project_bytes{project=%q} %d\n", each.org+"/"+each.project, each.seen)
		}
	}
	single(out, "delos_files_hidden_folders", "gauge", "Folders of jobs that the service may not read, so that what is in them is not counted.", hidden)
}

func single(out io.Writer, name, of, help string, value int64) {
	kind(out, name, of, help)
	fmt.Fprintf(out, "%s %d\n", name, value)
}

func kind(out io.Writer, name, of, help string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, of)
}
