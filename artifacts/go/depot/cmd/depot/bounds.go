package main

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
)

const (
	// Charts that one repository holds on a machine of its own: each takes some KiB of memory.
	maxCharts = 20_000
	// Of one project, and of all that one process keeps for projects.
	maxProjectCharts = 2_000
	maxAllCharts     = 8_000
	// What Chart.yaml says is kept in memory: of one chart, of one project, of all. It takes several times that.
	maxProjectDescription  = 64 << 10
	maxProjectDescriptions = 2 << 20
	maxAllDescriptions     = 8 << 20
	// Room on the volume that no upload takes.
	reserve = 32 << 20
)

var (
	errExists = errors.New("file already exists")
	errNoRoom = errors.New("the volume of the chart repository is full: nothing was stored; the administrator makes room or a larger volume")
)

// errFull says which bound was met: nothing more is taken until something is removed.
type errFull struct{ error }

func full(format string, values ...any) error { return errFull{fmt.Errorf(format, values...)} }

// bounds is what one repository may hold.
type bounds struct {
	charts int
	// Bytes of one Chart.yaml, and of all of them.
	description, descriptions int
	// Bytes of all files; 0 for no limit.
	bytes int64
	// What several repositories share; nil: there is only this one.
	shared *shared
}

// alone is a repository on a machine of its own, which its administrator alone writes to.
var alone = bounds{charts: maxCharts, description: maxDescription, descriptions: maxCharts * maxDescription}

// shared counts what the repositories of all projects keep in memory.
type shared struct {
	lock                 sync.Mutex
	charts, descriptions int
}

// take makes room for a chart that comes, and gives that of one that goes back. It says no before anything has changed.
func (s *shared) take(charts, descriptions int) error {
	if s == nil {
		return nil
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	if charts > 0 && s.charts+charts > maxAllCharts {
		return full("all projects together have %d charts, and no more are taken: remove some that nobody needs", maxAllCharts)
	}
	if descriptions > 0 && s.descriptions+descriptions > maxAllDescriptions {
		return full("what all charts say in their Chart.yaml is %d MiB, and no more is taken: remove some that nobody needs", maxAllDescriptions>>20)
	}
	s.charts += charts
	s.descriptions += descriptions
	return nil
}

// space is the size of the volume that a folder is on, and what of it is free.
func space(folder string) (size, free int64, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, 0, err
	}
	return int64(disk.Blocks) * disk.Bsize, int64(disk.Bavail) * disk.Bsize, nil
}
