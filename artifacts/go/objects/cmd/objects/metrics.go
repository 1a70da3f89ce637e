package main

import (
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Upper bounds of durations, in seconds.
var durations = []float64{0.005, 0.02, 0.1, 0.5, 2, 10, 60}

// requestMetrics counts requests, by what they are of and the class of their answer: a few dozen series, whatever comes.
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

func (m *requestMetrics) end(of string, status int, took time.Duration, taken, given int64) {
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
	m.counts[[2]string{of, class}]++
	m.taken += taken
	m.given += given
	times := m.times[of]
	if times == nil {
		times = &histogram{buckets: make([]uint64, len(durations))}
		m.times[of] = times
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
func (m *requestMetrics) write(out io.Writer, volume string, uploads int64) {
	m.lock.Lock()
	defer m.lock.Unlock()
	kind(out, "delos_objects_requests_total", "counter", "Requests, by what they are of and the class of the answer.")
	keys := make([][2]string, 0, len(m.counts))
	for key := range m.counts {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(a, b int) bool { return keys[a][0]+keys[a][1] < keys[b][0]+keys[b][1] })
	for _, key := range keys {
		fmt.Fprintf(out, "delos_objects_requests_total{of=%q,answer=%q} %d\n", key[0], key[1], m.counts[key])
	}
	kind(out, "delos_objects_request_duration_seconds", "histogram", "From the request's headers to the end of its answer.")
	names := make([]string, 0, len(m.times))
	for name := range m.times {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		times := m.times[name]
		for nth, bound := range durations {
			fmt.Fprintf(out, "delos_objects_request_duration_seconds_bucket{of=%q,le=\"%g\"} %d\n", name, bound, times.buckets[nth])
		}
		fmt.Fprintf(out, "delos_objects_request_duration_seconds_bucket{of=%q,le=\"+Inf\"} %d\n", name, times.count)
		fmt.Fprintf(out, "delos_objects_request_duration_seconds_sum{of=%q} %g\n", name, times.sum)
		fmt.Fprintf(out, "delos_objects_request_duration_seconds_count{of=%q} %d\n", name, times.count)
	}
	single(out, "delos_objects_received_bytes_total", "counter", "Bytes of bodies that were taken.", m.taken)
	single(out, "delos_objects_sent_bytes_total", "counter", "Bytes of answers.", m.given)
	single(out, "delos_objects_requests_under_way", "gauge", "Requests that are not answered yet.", m.underWay.Load())
	single(out, "delos_objects_open_uploads", "gauge", "Multipart uploads that are begun and not ended.", uploads)
	var disk syscall.Statfs_t
	if syscall.Statfs(volume, &disk) == nil {
		size := int64(disk.Bsize)
		single(out, "delos_objects_volume_bytes", "gauge", "Size of the volume.", int64(disk.Blocks)*size)
		single(out, "delos_objects_volume_free_bytes", "gauge", "What objects can still take of the volume.", int64(disk.Bavail)*size)
		single(out, "delos_objects_volume_files", "gauge", "Files that the volume can have.", int64(disk.Files))
		single(out, "delos_objects_volume_free_files", "gauge", "Files that the volume can still take.", int64(disk.Ffree))
	}
}

func single(out io.Writer, name, of, help string, value int64) {
	kind(out, name, of, help)
	fmt.Fprintf(out, "%s %d\n", name, value)
}

func kind(out io.Writer, name, of, help string) {
	fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, of)
}
