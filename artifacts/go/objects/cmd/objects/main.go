// Command objects is the platform's object storage: versitygw's S3 server on a volume, with what that lacks in front of it
// in the same process.
//
//	objects                                             serves
//	objects issue BUCKET RIGHTS SECONDS                 prints a credential that reaches one bucket and ends
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
	"github.com/versity/versitygw/s3api/utils"
)

const (
	region   = "us-east-1"
	maxParts = 10_000
)

// innerSocket is where versitygw's server listens, in the kernel's abstract namespace: nothing of it lies on a disk, and
// only processes of this network namespace reach it.
var innerSocket = fmt.Sprintf("@delos-objects-%d", os.Getpid())

func main() {
	log.SetFlags(0)
	var err error
	if len(os.Args) > 1 && os.Args[1] == "issue" {
		err = printCredential(os.Args[2:])
	} else {
		err = serve()
	}
	if err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func printCredential(args []string) error {
	usage := errors.New("expected: issue BUCKET r|w|rw SECONDS")
	if len(args) != 3 {
		return usage
	}
	seconds, err := strconv.Atoi(args[2])
	if err != nil {
		return usage
	}
	keys, err := secretLines(os.Getenv("DELOS_OBJECTS_SIGNING_FILE"))
	if err != nil {
		return fmt.Errorf("DELOS_OBJECTS_SIGNING_FILE: %w", err)
	}
	access, secret, err := issue(keys[0], args[0], args[1], time.Duration(seconds)*time.Second, time.Now())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]string{"accessKey": access, "secretKey": secret})
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	given, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	metrics := newRequestMetrics()
	var uploads atomic.Int64
	var serving atomic.Bool
	aside, err := net.Listen("tcp", fmt.Sprintf(":%d", given.internalPort))
	if err != nil {
		return err
	}
	go internal{given.data, metrics, &uploads, func() error {
		if !serving.Load() {
			return errors.New("not started yet")
		}
		return volumeThere(given.data)
	}}.serve(ctx, aside)

	// Nothing that is made is for others of the machine.
	syscall.Umask(0o077)
	attributes := meta.XattrMeta{}
	if err := attributes.Test(given.data); err != nil {
		return fmt.Errorf("the volume at %s cannot keep extended attributes, in which each object's type and ETag are: %w", given.data, err)
	}
	files, err := openStore(given.data, attributes, given.projectMost)
	if err != nil {
		return err
	}
	if err := mend(attributes); err != nil {
		return err
	}
	for bucket := range given.owners {
		if err := provide(ctx, files, bucket); err != nil {
			return fmt.Errorf("bucket %s: %w", bucket, err)
		}
	}
	go sweep(ctx, given.uploadLife, &uploads)

	inner, err := innerServer(files, given)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- inner.ServeMultiPort([]string{innerSocket}) }()
	outer, err := net.Listen("tcp", fmt.Sprintf(":%d", given.port))
	if err != nil {
		return err
	}
	go func() { failed <- newFront(innerSocket, metrics).serve(ctx, outer) }()
	serving.Store(true)
	log.Printf("serving %d buckets of services at port %d", len(given.owners), given.port)
	select {
	case err = <-failed:
	case <-ctx.Done():
		serving.Store(false)
		// The front ends when all that is under way is answered.
		err = <-failed
	}
	return err
}

func openStore(data string, attributes meta.MetadataStorer, most quota) (store, error) {
	options := posix.PosixOpts{
		// A name that is taken is replaced by one rename, and no other name is ever seen beside it.
		ForceNoTmpFile: true,
		// This process alone works on the volume.
		ForceNoObjLockFile:  true,
		ValidateBucketNames: true,
		Concurrency:         maxRequests,
		CopyObjectThreshold: maxObjectBytes,
		IOBufferSize:        128 * 1024,
	}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	files, err := posix.New(data, attributes, options)
	return store{files, &uploadCounts{counts: map[string]uploadCount{}}, newUsage(most)}, err
}

// provide makes the bucket of a service where there is none.
func provide(ctx context.Context, files store, bucket string) error {
	_, err := files.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	if err == nil {
		return nil
	}
	return files.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                    &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{},
		ObjectOwnership:           types.ObjectOwnershipBucketOwnerEnforced,
	}, nil)
}

func innerServer(files store, given settings) (*s3api.S3ApiServer, error) {
	utils.SetBucketNameValidationStrict(true)
	who := &identity{
		admin: given.admin, owners: given.owners, signing: given.signing, projects: given.projects, now: time.Now,
	}
	// The server holds its root's secret for good, so that nobody has it: the administrator is an account of ours.
	root := middlewares.RootUserConfig{Access: adminAccess, Secret: rand.Text() + rand.Text()}
	return s3api.New(files, root, region, who, nil, nil, nil, nil,
		s3api.WithQuiet(),
		s3api.WithKeepAlive(),
		s3api.WithDisableACL(),
		s3api.WithConcurrencyLimiter(2*maxRequests, 2*maxRequests),
		s3api.WithMpMaxParts(maxParts),
		s3api.WithMiddleware("/", unprefixed),
		s3api.WithMiddleware("/", who.choose),
	)
}

// unprefixed leads a request of the public path to its bucket. Its signature covers the path as it came, which the server
// reads, unescaped, from where its own rewriting for host names keeps it.
func unprefixed(ctx fiber.Ctx) error {
	path := string(ctx.Request().URI().PathOriginal())
	if plain := withoutPrefix(path); plain != path {
		whole, err := url.PathUnescape(path)
		if err != nil {
			return err
		}
		utils.ContextKey("original-uri-path").Set(ctx, whole)
		ctx.Path(plain)
	}
	return ctx.Next()
}
