package main

import (
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Projects that have a series of their own: the largest.
const maxProjects = 500

// counts are what collections did since the process began.
type counts struct {
	lock         sync.Mutex
	done, failed int
	freed        int64
	last         time.Time
}

func (c *counts) end(did report, err error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.freed += did.Bytes
	if err != nil {
		c.failed++
		return
	}
	c.done++
	c.last = time.Now()
}

var (
	projectBytes = describe("project_bytes", "What a project's images take, blobs that several of them have counted once.", "project")
	projectLimit = describe("project_limit_bytes", "What a project's images may take.", "project")
	refusals     = describe("refused_total", "Pushes that were refused, since their project has no room.")
	collections  = describe("collections_total", "Collections of unused blobs, by how they ended.", "end")
	freed        = describe("freed_bytes_total", "Bytes that collections gave back.")
	lastEnd      = describe("last_collection_timestamp_seconds", "When a collection last ended well, in seconds since 1970; 0: not yet.")
	volumeBytes  = describe("volume_bytes", "Size of the volume.")
	volumeFree   = describe("volume_free_bytes", "What images can still take of the volume.")
	volumeFiles  = describe("volume_files", "Files that the volume can have.")
	freeFiles    = describe("volume_free_files", "Files that the volume can still take.")
)

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("delos_images_"+name, help, labels, nil)
}

// Describe says nothing beforehand: what there is depends on projects.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect gives Prometheus what is known now.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(of *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.GaugeValue, value, labels...)
	}
	counter := func(of *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(of, prometheus.CounterValue, value, labels...)
	}
	used, refused := c.guard.quota.known()
	names := make([]string, 0, len(used))
	for name := range used {
		names = append(names, name)
	}
	sort.Slice(names, func(a, b int) bool {
		return used[names[a]] > used[names[b]] || (used[names[a]] == used[names[b]] && names[a] < names[b])
	})
	for _, name := range names[:min(len(names), maxProjects)] {
		gauge(projectBytes, float64(used[name]), name)
		if limit := c.guard.quota.limitOf(name); limit > 0 {
			gauge(projectLimit, float64(limit), name)
		}
	}
	counter(refusals, float64(refused))
	c.counts.lock.Lock()
	defer c.counts.lock.Unlock()
	counter(collections, float64(c.counts.done), "well")
	counter(collections, float64(c.counts.failed), "failed")
	counter(freed, float64(c.counts.freed))
	last := 0.0
	if !c.counts.last.IsZero() {
		last = float64(c.counts.last.Unix())
	}
	gauge(lastEnd, last)
	var disk syscall.Statfs_t
	if syscall.Statfs(c.given.root, &disk) == nil {
		size := float64(disk.Bsize)
		gauge(volumeBytes, float64(disk.Blocks)*size)
		gauge(volumeFree, float64(disk.Bavail)*size)
		gauge(volumeFiles, float64(disk.Files))
		gauge(freeFiles, float64(disk.Ffree))
	}
}
