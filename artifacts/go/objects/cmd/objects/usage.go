package main

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
)

const (
	// countEvery is how old a count may be where a bucket seems to be full.
	countEvery = 2 * time.Second
	// Of the volume, what buckets of projects leave to the services: logs and archives go on where projects have filled the rest.
	reservedShare = 20
	mostReserved  = 1 << 30
)

// quota is the most that a project's bucket holds.
type quota struct {
	bytes, objects int64
}

// usage bounds what buckets of projects hold. A bucket is counted when it is first written to. What comes after is added, and
// what goes is not taken off: where a bucket seems to be full it is counted again. So nothing has to be kept in step, and
// the limit is never passed, parts of uploads that are not ended included.
type usage struct {
	most  quota
	lock  sync.Mutex
	known map[string]*counted
}

type counted struct {
	lock sync.Mutex
	// What is there, and what is being written.
	held quota
	// What is being written: a count may not see it.
	pending quota
	counted time.Time
}

func newUsage(most quota) *usage {
	return &usage{most: most, known: map[string]*counted{}}
}

// admit lets something more come into a bucket, or says that there is no room. What it gives is called when that is written,
// or has failed.
func (u *usage) admit(bucket string, bytes, objects int64) (func(), error) {
	if !projectBucketForm.MatchString(bucket) {
		return func() {}, nil
	}
	if err := volumeAdmits(bytes); err != nil {
		return nil, err
	}
	u.lock.Lock()
	held := u.known[bucket]
	if held == nil {
		held = &counted{}
		u.known[bucket] = held
	}
	u.lock.Unlock()
	held.lock.Lock()
	defer held.lock.Unlock()
	if (held.counted.IsZero() || !u.fits(held.held, bytes, objects)) && time.Since(held.counted) > countEvery {
		now, err := count(bucket)
		if err != nil {
			return nil, err
		}
		held.held = quota{now.bytes + held.pending.bytes, now.objects + held.pending.objects}
		held.counted = time.Now()
	}
	if !u.fits(held.held, bytes, objects) {
		return nil, full(fmt.Sprintf("The bucket holds %d bytes of at most %d, and %d objects of at most %d.",
			held.held.bytes, u.most.bytes, held.held.objects, u.most.objects))
	}
	held.held.add(bytes, objects)
	held.pending.add(bytes, objects)
	return func() {
		held.lock.Lock()
		defer held.lock.Unlock()
		held.pending.add(-bytes, -objects)
	}, nil
}

func (q *quota) add(bytes, objects int64) {
	q.bytes += bytes
	q.objects += objects
}

func (u *usage) fits(held quota, bytes, objects int64) bool {
	return bytes <= u.most.bytes-held.bytes && objects <= u.most.objects-held.objects
}

func (u *usage) forget(bucket string) {
	u.lock.Lock()
	defer u.lock.Unlock()
	delete(u.known, bucket)
}

// count looks at each file of a bucket, uploads in parts included.
func count(bucket string) (quota, error) {
	var held quota
	err := filepath.WalkDir(bucket, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			// What went meanwhile, or a bucket that is not there: the write says so.
			return nil
		}
		if info, err := entry.Info(); err == nil {
			held.bytes += info.Size()
			held.objects++
		}
		return nil
	})
	return held, err
}

// volumeAdmits keeps a part of the volume for the services.
func volumeAdmits(bytes int64) error {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(".", &disk); err != nil {
		return err
	}
	size := int64(disk.Bsize)
	reserved := min(int64(disk.Blocks)*size/reservedShare, mostReserved)
	if int64(disk.Bavail)*size-bytes < reserved {
		return full("The volume of the object storage is full.")
	}
	return nil
}

// full answers what is no fault of the request's form, and goes away when something is removed.
func full(text string) error {
	err := s3err.GetAPIError(s3err.ErrInvalidRequest)
	err.Code = "QuotaExceeded"
	err.Description = text
	err.HTTPStatusCode = http.StatusForbidden
	return err
}

func sizeOf(length *int64) int64 {
	if length == nil || *length < 0 {
		return 0
	}
	return *length
}

func (s store) admitCopy(ctx context.Context, bucket string, source *string) (func(), error) {
	if !projectBucketForm.MatchString(bucket) {
		return func() {}, nil
	}
	from, key, _, err := backend.ParseCopySource(text(source))
	if err != nil {
		return nil, err
	}
	head, err := s.Posix.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &from, Key: &key})
	if err != nil {
		return nil, err
	}
	return s.usage.admit(bucket, sizeOf(head.ContentLength), 1)
}

// admitWhole lets the parts of an upload be put together: until that is done both are there.
func admitWhole(bucket, uploadID string) error {
	if !projectBucketForm.MatchString(bucket) {
		return nil
	}
	return eachUpload(bucket, func(folder, id string, _ os.FileInfo) error {
		if id != uploadID {
			return nil
		}
		parts, err := count(filepath.Join(folder, id))
		if err != nil {
			return err
		}
		return volumeAdmits(parts.bytes)
	})
}
