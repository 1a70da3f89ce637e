package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
)

const (
	sweepEvery = 10 * time.Minute
	inProgress = ".inprogress"
)

// mend takes away what a former process was killed in the middle of. Nothing else runs on this volume, and nothing is served
// yet. What was never named is removed, and an upload that was being completed can be completed again.
func mend(attributes meta.MetadataStorer) error {
	return eachBucket(func(bucket string) error {
		// A folder without an owner is a bucket whose making was broken off: it is empty.
		if _, err := attributes.RetrieveAttribute(nil, bucket, "", "acl"); err != nil {
			if err := os.RemoveAll(filepath.Join(bucket, posix.MetaTmpDir)); err != nil {
				return err
			}
			if err := os.Remove(bucket); err != nil {
				return fmt.Errorf("%s has objects and no owner: %w", bucket, err)
			}
			log.Printf("removed %s, whose making was broken off", bucket)
			return nil
		}
		parts, err := os.ReadDir(filepath.Join(bucket, posix.MetaTmpDir))
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		for _, part := range parts {
			if part.Name() == filepath.Base(multipartFolder) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(bucket, posix.MetaTmpDir, part.Name())); err != nil {
				return err
			}
		}
		return eachUpload(bucket, func(folder, id string, _ os.FileInfo) error {
			name, _, _ := strings.Cut(id, ".")
			if !strings.HasSuffix(id, inProgress) {
				return nil
			}
			return os.Rename(filepath.Join(folder, id), filepath.Join(folder, name))
		})
	})
}

// sweep aborts multipart uploads that nobody has ended for so long, again and again, and counts the others.
func sweep(ctx context.Context, life time.Duration, open *atomic.Int64) {
	for {
		count := int64(0)
		err := eachBucket(func(bucket string) error {
			return eachUpload(bucket, func(folder, id string, info os.FileInfo) error {
				if time.Since(info.ModTime()) < life || strings.HasSuffix(id, inProgress) {
					count++
					return nil
				}
				// What it is moved to is no upload's name: no part comes into it any more.
				gone := filepath.Join(bucket, posix.MetaTmpDir, "aborted-"+id)
				if err := os.Rename(filepath.Join(folder, id), gone); err != nil {
					return nil
				}
				_ = os.Remove(folder)
				log.Printf("aborted a multipart upload in %s, which was begun %s", bucket, info.ModTime().UTC().Format(time.RFC3339))
				return os.RemoveAll(gone)
			})
		})
		if err != nil {
			log.Printf("sweeping: %v", err)
		}
		open.Store(count)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(sweepEvery, life)):
		}
	}
}

func eachBucket(call func(bucket string) error) error {
	found, err := os.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range found {
		// `lost+found` is a file system's own.
		if !entry.IsDir() || !bucketForm.MatchString(entry.Name()) {
			continue
		}
		if err := call(entry.Name()); err != nil {
			return err
		}
	}
	return nil
}
