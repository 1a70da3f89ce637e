package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Blocks of stat(2), whatever the file system's are.
	blockBytes = 512
	// Files with several names that are told apart in one project.
	maxLinked = 100_000
	// A look takes at most one part of so many of the time, however much there is to look at.
	lookShare = 10
	// A project that has just been looked at is left for so long, whoever asks.
	lookAgain = 5 * time.Second
)

// usage knows what each project takes, as far as it has been looked at: by and by, since a file system that counts by folders is
// not always there. What clients write in between is added, so that they never write past a limit.
type usage struct {
	files *volume
	pause time.Duration
	lock  sync.Mutex
	of    map[string]*projectUsage
	asked chan string
}

type projectUsage struct {
	org, project string
	// Bytes on the disk when it was looked at, and what clients have written since that began.
	seen, added int64
	// When the last look began, and when it ended.
	began, looked time.Time
	// Folders that only their job may read: what is in them is not counted.
	hidden int64
}

func newUsage(files *volume, pause time.Duration) *usage {
	return &usage{files: files, pause: pause, of: map[string]*projectUsage{}, asked: make(chan string, 64)}
}

func (u *usage) entry(org, project string) *projectUsage {
	key := org + "/" + project
	found := u.of[key]
	if found == nil {
		found = &projectUsage{org: org, project: project}
		u.of[key] = found
	}
	return found
}

// room is what the project's files may still take, by its own limit and by its organization's.
func (u *usage) room(may access) int64 {
	u.lock.Lock()
	defer u.lock.Unlock()
	found := u.entry(may.Org, may.Project)
	left := int64(math.MaxInt64)
	if may.Limit != nil {
		left = *may.Limit - found.seen - found.added
	}
	if may.OrgLimit != nil {
		all := *may.OrgLimit
		for _, each := range u.of {
			if each.org == may.Org {
				all -= each.seen + each.added
			}
		}
		left = min(left, all)
	}
	if left <= 0 {
		u.ask(found)
	}
	return left
}

// added counts what a client has written.
func (u *usage) added(may access, bytes int64) {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.entry(may.Org, may.Project).added += bytes
}

// look has a project looked at soon: something of it has gone.
func (u *usage) look(may access) {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.ask(u.entry(may.Org, may.Project))
}

func (u *usage) ask(found *projectUsage) {
	if time.Since(found.looked) < lookAgain {
		return
	}
	select {
	case u.asked <- found.org + "/" + found.project:
	default:
	}
}

// run looks at all projects, again and again.
func (u *usage) run(ctx context.Context) {
	for {
		began := time.Now()
		u.all(ctx)
		took := time.Since(began)
		next := time.After(max(u.pause, lookShare*took))
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return
			case key := <-u.asked:
				u.again(ctx, key)
			case <-next:
				waiting = false
			}
		}
	}
}

func (u *usage) again(ctx context.Context, key string) {
	u.lock.Lock()
	entry := u.of[key]
	if entry == nil {
		u.lock.Unlock()
		return
	}
	found := *entry
	u.lock.Unlock()
	if time.Since(found.looked) >= lookAgain {
		u.project(ctx, found.org, found.project)
	}
}

func (u *usage) all(ctx context.Context) {
	there := map[string]bool{}
	err := u.names(u.files.root, ".", func(root int, org string) error {
		return u.names(root, org, func(_ int, project string) error {
			there[org+"/"+project] = true
			u.project(ctx, org, project)
			return ctx.Err()
		})
	})
	if err != nil {
		if ctx.Err() == nil {
			log.Printf("what projects use cannot be found out: %v", err)
		}
		return
	}
	u.lock.Lock()
	defer u.lock.Unlock()
	for key := range u.of {
		if !there[key] {
			delete(u.of, key)
		}
	}
}

// names tells the folders in a folder that can be an organization's or a project's.
func (u *usage) names(at int, name string, tell func(folder int, name string) error) error {
	fd, err := openBeneath(at, name, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return err
	}
	folder := os.NewFile(uintptr(fd), name)
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, each := range names {
		var stat unix.Stat_t
		if !nameForm.MatchString(each) || unix.Fstatat(fd, each, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		if err := tell(fd, each); err != nil {
			return err
		}
	}
	return nil
}

func (u *usage) project(ctx context.Context, org, project string) {
	u.lock.Lock()
	before := u.entry(org, project).added
	u.lock.Unlock()
	began := time.Now()
	fd, err := openBeneath(u.files.root, org+"/"+project, unix.O_RDONLY|unix.O_DIRECTORY, unix.RESOLVE_NO_SYMLINKS)
	if err != nil {
		return
	}
	sum := sum{ctx: ctx, linked: map[uint64]bool{}}
	if !sum.folder(os.NewFile(uintptr(fd), project), 0) {
		return
	}
	u.lock.Lock()
	defer u.lock.Unlock()
	found := u.entry(org, project)
	found.seen, found.hidden, found.began, found.looked = sum.bytes, sum.hidden, began, time.Now()
	found.added -= before
}

// sum adds up what a folder takes.
type sum struct {
	ctx           context.Context
	bytes, hidden int64
	linked        map[uint64]bool
}

// folder says whether it came to its end.
func (s *sum) folder(folder *os.File, depth int) bool {
	defer folder.Close()
	if depth > maxDepth {
		s.hidden++
		return true
	}
	at := int(folder.Fd())
	for {
		if s.ctx.Err() != nil {
			return false
		}
		names, err := folder.Readdirnames(namesAtOnce)
		for _, name := range names {
			var stat unix.Stat_t
			if unix.Fstatat(at, name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue
			}
			if !s.count(&stat) || stat.Mode&unix.S_IFMT != unix.S_IFDIR {
				continue
			}
			fd, err := openNamed(at, name)
			if err != nil {
				s.hidden++
				continue
			}
			if !s.folder(os.NewFile(uintptr(fd), name), depth+1) {
				return false
			}
		}
		if err == io.EOF {
			return true
		}
		if err != nil {
			s.hidden++
			return true
		}
	}
}

func (s *sum) count(stat *unix.Stat_t) bool {
	if stat.Nlink > 1 && stat.Mode&unix.S_IFMT == unix.S_IFREG {
		if s.linked[stat.Ino] {
			return false
		}
		if len(s.linked) < maxLinked {
			s.linked[stat.Ino] = true
		}
	}
	s.bytes += stat.Blocks * blockBytes
	return true
}

// diskUsage is GETDISKUSAGE: of the project where it or its organization has a limit, else of the volume.
func (f *front) diskUsage(asked *task) error {
	var disk unix.Statfs_t
	if err := unix.Fstatfs(f.files.uploads, &disk); err != nil {
		return err
	}
	size := disk.Bsize
	total, free := int64(disk.Blocks)*size, int64(disk.Bavail)*size
	used := (int64(disk.Blocks) - int64(disk.Bfree)) * size
	for _, limit := range []*int64{asked.may.Limit, asked.may.OrgLimit} {
		if limit != nil {
			total = min(total, *limit)
			free = min(free, max(0, f.usage.room(asked.may)))
			used = max(0, total-free)
		}
	}
	asked.writer.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(asked.writer).Encode(map[string]int64{"total": total, "used": used, "free": free})
}
