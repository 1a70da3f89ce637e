package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

const (
	multipartFolder = posix.MetaTmpMultipartDir
	// maxOpenUploads is the most multipart uploads of one bucket that are begun and not ended.
	maxOpenUploads = 1000
	// maxPolicyBytes is what an extended attribute of any file system takes, beside others.
	maxPolicyBytes = 3 * 1024
)

var uploadIDForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// store is the server's own store of files with what that lacks: no name that comes from outside reaches the file system
// unchecked, whatever request it is in, and what there may be without end has a bound.
type store struct {
	*posix.Posix
	uploads *uploadCounts
	// Of buckets of projects.
	usage *usage
}

// uploadCounts knows how many uploads each bucket has that are begun and not ended: as they were counted a moment ago, and
// those that began since.
type uploadCounts struct {
	lock   sync.Mutex
	counts map[string]uploadCount
}

type uploadCount struct {
	open    int
	counted time.Time
}

// admit lets one more upload begin, or says that there are too many.
func (u *uploadCounts) admit(bucket string, now time.Time) error {
	u.lock.Lock()
	defer u.lock.Unlock()
	count := u.counts[bucket]
	if now.Sub(count.counted) > time.Second || count.open >= maxOpenUploads {
		count = uploadCount{counted: now}
		err := eachUpload(bucket, func(string, string, os.FileInfo) error {
			count.open++
			return nil
		})
		if err != nil {
			return err
		}
	}
	if count.open >= maxOpenUploads {
		err := s3err.GetAPIError(s3err.ErrInvalidRequest)
		err.Description = "The bucket has 1000 multipart uploads that are not ended: complete or abort some."
		return err
	}
	count.open++
	u.counts[bucket] = count
	return nil
}

func badKey(key *string, fault string) error {
	if key != nil && len(*key) > maxKeyBytes {
		return s3err.GetKeyTooLongErr(int64(len(*key)), maxKeyBytes)
	}
	err := s3err.GetAPIError(s3err.ErrInvalidRequest)
	err.Code = "InvalidArgument"
	err.Description = "This key cannot be one of an object: " + fault + "."
	return err
}

func checkKey(key *string) error {
	if key == nil {
		return badKey(key, "it is missing")
	}
	if fault := keyFault(*key); fault != "" {
		return badKey(key, fault)
	}
	return nil
}

func checkUpload(key, uploadID *string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if uploadID == nil || !uploadIDForm.MatchString(*uploadID) {
		return s3err.GetAPIError(s3err.ErrNoSuchUpload)
	}
	return nil
}

// CreateBucket gives each bucket an owner of its own, whoever makes it.
func (s store) CreateBucket(ctx context.Context, input *s3.CreateBucketInput, _ []byte) error {
	acl, err := json.Marshal(auth.ACL{Owner: *input.Bucket})
	if err != nil {
		return err
	}
	return s.Posix.CreateBucket(ctx, input, acl)
}

// DeleteBucket removes one that is empty. An object that comes at the same moment is either refused with its bucket, or keeps it.
func (s store) DeleteBucket(_ context.Context, bucket string) error {
	if !bucketForm.MatchString(bucket) {
		return s3err.GetBucketErr(s3err.ErrInvalidBucketName, bucket)
	}
	entries, err := os.ReadDir(bucket)
	if os.IsNotExist(err) {
		return s3err.GetBucketErr(s3err.ErrNoSuchBucket, bucket)
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != posix.MetaTmpDir {
			return s3err.GetBucketErr(s3err.ErrBucketNotEmpty, bucket)
		}
	}
	if err := os.RemoveAll(filepath.Join(bucket, posix.MetaTmpDir)); err != nil {
		return err
	}
	if err := os.Remove(bucket); err != nil && !os.IsNotExist(err) {
		return s3err.GetBucketErr(s3err.ErrBucketNotEmpty, bucket)
	}
	s.usage.forget(bucket)
	return nil
}

func (s store) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	if len(policy) > maxPolicyBytes {
		return s3err.GetAPIError(s3err.ErrEntityTooLarge)
	}
	return s.Posix.PutBucketPolicy(ctx, bucket, policy)
}

// PutObject has the content on the disk before it gets its name.
func (s store) PutObject(ctx context.Context, input s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	done, err := s.usage.admit(*input.Bucket, sizeOf(input.ContentLength), 1)
	if err != nil {
		return s3response.PutObjectOutput{}, err
	}
	defer done()
	return s.Posix.PutObjectWithPostFunc(ctx, input, (*os.File).Sync)
}

func (s store) HeadObject(ctx context.Context, input *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return nil, err
	}
	return s.Posix.HeadObject(ctx, input)
}

func (s store) GetObject(ctx context.Context, input *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return nil, err
	}
	return s.Posix.GetObject(ctx, input)
}

func (s store) GetObjectAcl(ctx context.Context, input *s3.GetObjectAclInput) (*s3.GetObjectAclOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return nil, err
	}
	return s.Posix.GetObjectAcl(ctx, input)
}

func (s store) GetObjectAttributes(ctx context.Context, input *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	if err := checkKey(input.Key); err != nil {
		return s3response.GetObjectAttributesResponse{}, err
	}
	return s.Posix.GetObjectAttributes(ctx, input)
}

func (s store) CopyObject(ctx context.Context, input s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	if err := checkSource(input.CopySource); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	done, err := s.admitCopy(ctx, *input.Bucket, input.CopySource)
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	defer done()
	return s.Posix.CopyObject(ctx, input)
}

func (s store) DeleteObject(ctx context.Context, input *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if err := checkKey(input.Key); err != nil {
		return nil, err
	}
	return s.Posix.DeleteObject(ctx, input)
}

// DeleteObjects refuses the whole request for one bad key: nobody has an object of such a name.
func (s store) DeleteObjects(ctx context.Context, input *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	for _, object := range input.Delete.Objects {
		if err := checkKey(object.Key); err != nil {
			return s3response.DeleteResult{}, err
		}
	}
	return s.Posix.DeleteObjects(ctx, input)
}

func (s store) CreateMultipartUpload(ctx context.Context, input s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	if err := checkKey(input.Key); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	done, err := s.usage.admit(*input.Bucket, 0, 1)
	if err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	defer done()
	if err := s.uploads.admit(*input.Bucket, time.Now()); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	return s.Posix.CreateMultipartUpload(ctx, input)
}

func (s store) CompleteMultipartUpload(ctx context.Context, input *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := checkUpload(input.Key, input.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	if err := admitWhole(*input.Bucket, *input.UploadId); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	return s.Posix.CompleteMultipartUpload(ctx, input)
}

func (s store) AbortMultipartUpload(ctx context.Context, input *s3.AbortMultipartUploadInput) error {
	if err := checkUpload(input.Key, input.UploadId); err != nil {
		return err
	}
	return s.Posix.AbortMultipartUpload(ctx, input)
}

func (s store) ListParts(ctx context.Context, input *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	if err := checkUpload(input.Key, input.UploadId); err != nil {
		return s3response.ListPartsResult{}, err
	}
	return s.Posix.ListParts(ctx, input)
}

func (s store) UploadPart(ctx context.Context, input *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := checkUpload(input.Key, input.UploadId); err != nil {
		return nil, err
	}
	done, err := s.usage.admit(*input.Bucket, sizeOf(input.ContentLength), 1)
	if err != nil {
		return nil, err
	}
	defer done()
	return s.Posix.UploadPartWithPostFunc(ctx, input, (*os.File).Sync)
}

func (s store) UploadPartCopy(ctx context.Context, input *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if err := checkUpload(input.Key, input.UploadId); err != nil {
		return s3response.CopyPartResult{}, err
	}
	if err := checkSource(input.CopySource); err != nil {
		return s3response.CopyPartResult{}, err
	}
	done, err := s.admitCopy(ctx, *input.Bucket, input.CopySource)
	if err != nil {
		return s3response.CopyPartResult{}, err
	}
	defer done()
	return s.Posix.UploadPartCopy(ctx, input)
}

func (s store) GetObjectTagging(ctx context.Context, bucket, object, version string) (map[string]string, error) {
	if err := checkKey(&object); err != nil {
		return nil, err
	}
	return s.Posix.GetObjectTagging(ctx, bucket, object, version)
}

func (s store) PutObjectTagging(ctx context.Context, bucket, object, version string, tags map[string]string) error {
	if err := checkKey(&object); err != nil {
		return err
	}
	return s.Posix.PutObjectTagging(ctx, bucket, object, version, tags)
}

func (s store) DeleteObjectTagging(ctx context.Context, bucket, object, version string) error {
	if err := checkKey(&object); err != nil {
		return err
	}
	return s.Posix.DeleteObjectTagging(ctx, bucket, object, version)
}

// eachUpload calls for every multipart upload of a bucket that is not ended: folder of its key, and its id. Those that are
// being completed are among them.
func eachUpload(bucket string, call func(folder, id string, info os.FileInfo) error) error {
	root := filepath.Join(bucket, multipartFolder)
	keys, err := os.ReadDir(root)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range keys {
		folder := filepath.Join(root, key.Name())
		uploads, err := os.ReadDir(folder)
		if err != nil {
			continue
		}
		for _, upload := range uploads {
			info, err := upload.Info()
			if err != nil || !info.IsDir() {
				continue
			}
			if err := call(folder, upload.Name(), info); err != nil {
				return err
			}
		}
	}
	return nil
}
