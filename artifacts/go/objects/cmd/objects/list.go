package main

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// The server's own listing reads whole folders for each page. Here a page of a folder takes the memory of a page, however
// many files lie in it.

const (
	maxPage = 1000
	// No name in a folder comes after it.
	lastName = "\U0010FFFF"
)

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkSource looks at a copy's source as the store reads it.
func checkSource(source *string) error {
	bucket, key, _, err := backend.ParseCopySource(text(source))
	if err != nil {
		return err
	}
	if !bucketForm.MatchString(bucket) {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, bucket)
	}
	return checkKey(&key)
}

func (s store) ListObjects(ctx context.Context, input *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	bucket, prefix, marker, delimiter := *input.Bucket, text(input.Prefix), text(input.Marker), text(input.Delimiter)
	max := pageOf(input.MaxKeys)
	results, err := s.page(ctx, bucket, prefix, delimiter, marker, max, true)
	if err != nil {
		return s3response.ListObjectsResult{}, err
	}
	return s3response.ListObjectsResult{
		CommonPrefixes: results.CommonPrefixes,
		Contents:       results.Objects,
		Delimiter:      backend.GetPtrFromString(delimiter),
		IsTruncated:    &results.Truncated,
		Marker:         backend.GetPtrFromString(marker),
		MaxKeys:        &max,
		Name:           &bucket,
		NextMarker:     backend.GetPtrFromString(results.NextMarker),
		Prefix:         backend.GetPtrFromString(prefix),
	}, nil
}

func (s store) ListObjectsV2(ctx context.Context, input *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	bucket, prefix, delimiter := *input.Bucket, text(input.Prefix), text(input.Delimiter)
	marker := max(text(input.ContinuationToken), text(input.StartAfter))
	most := pageOf(input.MaxKeys)
	results, err := s.page(ctx, bucket, prefix, delimiter, marker, most, input.FetchOwner != nil && *input.FetchOwner)
	if err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	count := int32(len(results.Objects) + len(results.CommonPrefixes))
	return s3response.ListObjectsV2Result{
		CommonPrefixes:        results.CommonPrefixes,
		Contents:              results.Objects,
		Delimiter:             backend.GetPtrFromString(delimiter),
		IsTruncated:           &results.Truncated,
		ContinuationToken:     input.ContinuationToken,
		MaxKeys:               &most,
		Name:                  &bucket,
		KeyCount:              &count,
		NextContinuationToken: backend.GetPtrFromString(results.NextMarker),
		Prefix:                backend.GetPtrFromString(prefix),
		StartAfter:            backend.GetPtrFromString(text(input.StartAfter)),
	}, nil
}

func (s store) page(ctx context.Context, bucket, prefix, delimiter, marker string, most int32, owner bool) (backend.WalkResults, error) {
	if _, err := s.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket}); err != nil {
		return backend.WalkResults{}, err
	}
	// No key begins so, or comes after such a one: the file system is not asked.
	if prefixFault(prefix) != "" || len(marker) > maxKeyBytes {
		return backend.WalkResults{}, nil
	}
	if delimiter == "/" && strings.HasSuffix(marker, "/") {
		// What is below was shown as one.
		marker += lastName
	}
	files := &pageFS{
		FS:     os.DirFS(bucket),
		root:   bucket,
		prefix: prefix,
		marker: marker,
		most:   int(most) + 1,
		// Another delimiter makes one common prefix of any number of files.
		whole: delimiter != "" && delimiter != "/",
	}
	results, err := backend.Walk(ctx, files, prefix, delimiter, marker, most, s.FileToObj(bucket, owner), []string{posix.MetaTmpDir})
	if err != nil {
		return backend.WalkResults{}, err
	}
	if files.left != "" && (!results.Truncated || results.NextMarker > files.left) {
		// Files that were counted went away meanwhile, or are folders without an object. What was left out comes next.
		results.Truncated = true
		results.NextMarker = files.left
		results.Objects = slices.DeleteFunc(results.Objects, func(object s3response.Object) bool {
			return *object.Key > files.left
		})
		results.CommonPrefixes = slices.DeleteFunc(results.CommonPrefixes, func(common types.CommonPrefix) bool {
			return *common.Prefix > files.left
		})
	}
	return results, nil
}

func text(of *string) string {
	if of == nil {
		return ""
	}
	return *of
}

func pageOf(of *int32) int32 {
	if of == nil || *of > maxPage || *of < 0 {
		return maxPage
	}
	return *of
}

// pageFS is the folder of a bucket, of which each folder shows the first entries alone that a page can need.
type pageFS struct {
	fs.FS
	root, prefix, marker string
	most                 int
	whole                bool
	// The last key that was looked at where more were left out; "" where none was.
	left string
}

func (p *pageFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if p.whole {
		return fs.ReadDir(p.FS, name)
	}
	folder, err := os.Open(filepath.Join(p.root, name))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	first := entries{}
	more := false
	for {
		some, err := folder.ReadDir(512)
		for _, entry := range some {
			key := path.Join(name, entry.Name())
			if entry.IsDir() {
				key += "/"
			}
			if !p.wanted(key) {
				continue
			}
			heap.Push(&first, keyed{key, entry})
			if len(first) > p.most {
				heap.Pop(&first)
				more = true
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(first, func(a, b keyed) int { return strings.Compare(a.entry.Name(), b.entry.Name()) })
	found := make([]fs.DirEntry, len(first))
	last := ""
	for nth, each := range first {
		found[nth] = each.entry
		last = max(last, each.key)
	}
	if more {
		if strings.HasSuffix(last, "/") {
			// After all keys below it.
			last += lastName
		}
		if p.left == "" || last < p.left {
			p.left = last
		}
	}
	return found, nil
}

// wanted says whether a file, or something in a folder, can be on the page.
func (p *pageFS) wanted(key string) bool {
	if strings.HasSuffix(key, "/") {
		return (strings.HasPrefix(key, p.prefix) || strings.HasPrefix(p.prefix, key)) &&
			(key > p.marker || strings.HasPrefix(p.marker, key))
	}
	return strings.HasPrefix(key, p.prefix) && key > p.marker
}

type keyed struct {
	key   string
	entry fs.DirEntry
}

// entries is a heap with the last key on top.
type entries []keyed

func (e entries) Len() int           { return len(e) }
func (e entries) Less(a, b int) bool { return e[a].key > e[b].key }
func (e entries) Swap(a, b int)      { e[a], e[b] = e[b], e[a] }
func (e *entries) Push(one any)      { *e = append(*e, one.(keyed)) }
func (e *entries) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// ListMultipartUploads answers from names alone, none of which leads to a file.
func (s store) ListMultipartUploads(ctx context.Context, input *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	return s.Posix.ListMultipartUploads(ctx, input)
}

func (s store) ListObjectVersions(context.Context, *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	return s3response.ListVersionsResult{}, s3err.GetAPIError(s3err.ErrNotImplemented)
}
