package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/registry/api/errcode"
)

// Uploads that were refused and have not ended: so many are remembered.
const maxRefused = 10_000

// quota knows what each project uses. Numbers are measured when they are first asked for, at each collection, and before a
// refusal; between, they grow with each upload, and at worst say too much.
type quota struct {
	files  store
	limit  int64
	own    map[string]int64
	grace  time.Duration
	atOnce int

	lock     sync.Mutex
	projects map[string]*account
	over     map[string]int64
	refusals int64
}

type account struct {
	measuring sync.Mutex
	measured  time.Time
	took      time.Duration
	of        usage
	// What came since the current measurement began, which may not have seen it.
	since usage
}

// usage is what a project has on the volume, in bytes. A blob in two repositories of it counts once.
type usage struct{ blobs, uploads int64 }

func (u usage) sum() int64 { return u.blobs + u.uploads }

func newQuota(files store, given settings) *quota {
	return &quota{files: files, limit: given.projectLimit, own: given.limits, grace: given.grace, atOnce: given.atOnce, projects: map[string]*account{}, over: map[string]int64{}}
}

// limitOf is in bytes; 0: none.
func (q *quota) limitOf(project string) int64 {
	if own, has := q.own[project]; has {
		return own
	}
	return q.limit
}

func (q *quota) account(project string) *account {
	q.lock.Lock()
	defer q.lock.Unlock()
	of := q.projects[project]
	if of == nil {
		of = &account{}
		q.projects[project] = of
	}
	return of
}

// measure reads what a project has from the volume, where what is known is older than that.
func (q *quota) measure(project string, age func(*account) bool) (*account, error) {
	of := q.account(project)
	of.measuring.Lock()
	defer of.measuring.Unlock()
	q.lock.Lock()
	known := !of.measured.IsZero() && !age(of)
	if !known {
		of.since = usage{}
	}
	q.lock.Unlock()
	if known {
		return of, nil
	}
	began := time.Now()
	read, err := q.files.usage(project, q.grace, q.atOnce)
	if err != nil {
		return nil, err
	}
	q.lock.Lock()
	defer q.lock.Unlock()
	of.of = usage{read.blobs + max(0, of.since.blobs), read.uploads + max(0, of.since.uploads)}
	of.measured = time.Now()
	of.took = of.measured.Sub(began)
	return of, nil
}

func always(*account) bool { return true }
func never(*account) bool  { return false }

// again is how often a project is measured that would be refused: it costs a twentieth of the time at most.
func again(of *account) bool { return time.Since(of.measured) > max(100*time.Millisecond, 20*of.took) }

// room is how many bytes an upload may still bring; below 0: any.
func (q *quota) room(project string) (int64, error) {
	limit := q.limitOf(project)
	if limit == 0 {
		return -1, nil
	}
	for _, age := range []func(*account) bool{never, again} {
		of, err := q.measure(project, age)
		if err != nil {
			return 0, err
		}
		q.lock.Lock()
		left := limit - of.of.sum()
		q.lock.Unlock()
		if left > 0 {
			return left, nil
		}
	}
	return 0, nil
}

// take charges a project, or says that it does not fit.
func (q *quota) take(project string, bytes int64) (giveBack func(), err error) {
	return q.commit(project, 0, bytes)
}

// commit charges a project with a blob that comes from an upload of it.
func (q *quota) commit(project string, uploaded, bytes int64) (giveBack func(), err error) {
	limit := q.limitOf(project)
	if limit == 0 {
		return func() {}, nil
	}
	for _, age := range []func(*account) bool{never, again} {
		of, err := q.measure(project, age)
		if err != nil {
			return nil, err
		}
		q.lock.Lock()
		fits := bytes == 0 || of.of.sum()-min(uploaded, of.of.uploads)+bytes <= limit
		if fits {
			of.add(usage{bytes, -uploaded})
		}
		q.lock.Unlock()
		if fits {
			return func() {
				q.lock.Lock()
				defer q.lock.Unlock()
				of.add(usage{-bytes, 0})
			}, nil
		}
	}
	return nil, q.denied(project, bytes)
}

func (a *account) add(more usage) {
	a.of = usage{max(0, a.of.blobs+more.blobs), max(0, a.of.uploads+more.uploads)}
	a.since = usage{a.since.blobs + more.blobs, a.since.uploads + more.uploads}
}

func (q *quota) uploaded(project string, bytes int64) {
	if q.limitOf(project) == 0 {
		return
	}
	of := q.account(project)
	q.lock.Lock()
	defer q.lock.Unlock()
	of.add(usage{0, bytes})
}

func (q *quota) denied(project string, bytes int64) error {
	of := q.account(project)
	q.lock.Lock()
	used := of.of.sum()
	q.refusals++
	q.lock.Unlock()
	return errcode.ErrorCodeDenied.WithMessage(fmt.Sprintf(
		"project %s uses %s of the %s that it may have for images, and %s more do not fit; remove images with: apolo image rm",
		project, inUnits(used), inUnits(q.limitOf(project)), inUnits(bytes)))
}

func (q *quota) refuse(id string, size int64) {
	q.lock.Lock()
	defer q.lock.Unlock()
	if len(q.over) < maxRefused {
		q.over[id] = size
	}
}

func (q *quota) refused(id string) (int64, bool) {
	q.lock.Lock()
	defer q.lock.Unlock()
	size, is := q.over[id]
	return size, is
}

func (q *quota) forget(id string) {
	q.lock.Lock()
	defer q.lock.Unlock()
	delete(q.over, id)
}

// known gives what was measured of each project, and how many pushes were refused.
func (q *quota) known() (map[string]int64, int64) {
	q.lock.Lock()
	defer q.lock.Unlock()
	used := map[string]int64{}
	for project, of := range q.projects {
		if !of.measured.IsZero() {
			used[project] = of.of.sum()
		}
	}
	return used, q.refusals
}

func inUnits(bytes int64) string {
	size, unit := float64(bytes), 0
	for size >= 1024 && unit < 4 {
		size /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.1f %s", size, []string{"B", "KiB", "MiB", "GiB", "TiB"}[unit])
}
