package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// container is the snapshot of a running one. Every name is looked up beneath these folders by openat: links that a job plants, and
// folders that it replaces by links meanwhile, lead nowhere else.
type container struct {
	// What the container sees, less what is mounted into it.
	merged *os.Root
	// What it has changed.
	upper *os.Root
	// Its image, the last layer first.
	lower []*os.Root
}

func (c *container) close() {
	for _, root := range append([]*os.Root{c.merged, c.upper}, c.lower...) {
		if root != nil {
			_ = root.Close()
		}
	}
}

// findContainer finds the mount of a container's root folder, which says where its layers are.
func findContainer(s settings, id string) (*container, error) {
	place := filepath.Join(s.tasks, id, "rootfs")
	options, err := overlayAt(place)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"redirect_dir", "metacopy"} {
		if value := options[name]; value == "on" || value == "follow" {
			return nil, fmt.Errorf("the node mounts containers with %s=%s: what a container has changed cannot be told there", name, value)
		}
	}
	snapshots := filepath.Dir(filepath.Dir(options["upperdir"]))
	found := &container{}
	open := func(path string) *os.Root {
		if err != nil {
			return nil
		}
		// containerd names layers from their common folder where there are many.
		if !filepath.IsAbs(path) {
			path = filepath.Join(snapshots, path)
		}
		var root *os.Root
		root, err = os.OpenRoot(path)
		return root
	}
	found.merged = open(place)
	found.upper = open(options["upperdir"])
	for _, path := range strings.Split(options["lowerdir"], ":") {
		if root := open(path); root != nil {
			found.lower = append(found.lower, root)
		}
	}
	if err != nil {
		found.close()
		return nil, fmt.Errorf("a layer of the container cannot be read: %w", err)
	}
	return found, nil
}

// overlayAt reads the options of an overlay's mount. https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
func overlayAt(place string) (map[string]string, error) {
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	var found map[string]string
	for lines.Scan() {
		mount, system, both := strings.Cut(lines.Text(), " - ")
		fields, rest := strings.Fields(mount), strings.Fields(system)
		if !both || len(fields) < 5 || len(rest) < 3 || fields[4] != place {
			continue
		}
		if rest[0] != "overlay" {
			return nil, fmt.Errorf("the node keeps containers by %s, and only overlayfs is known here", rest[0])
		}
		found = map[string]string{}
		for _, option := range strings.Split(rest[2], ",") {
			name, value, _ := strings.Cut(option, "=")
			found[name] = value
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("the container does not run on this node: %w", os.ErrNotExist)
	}
	if found["upperdir"] == "" || found["lowerdir"] == "" {
		return nil, errors.New("the container's root folder has no layers")
	}
	return found, nil
}
