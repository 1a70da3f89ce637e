package main

import (
	"context"
	"io"
	"path/filepath"

	"github.com/distribution/distribution/v3"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// upload takes no more bytes than its project may have, and says so when it shall become a blob: what a client is answered
// before that, it takes for a failure and tries again.
type upload struct {
	distribution.BlobWriter
	guard     *guard
	name      string
	cancelled bool
}

func (u *upload) ReadFrom(from io.Reader) (int64, error) {
	project := projectOf(u.name)
	var taken int64
	for {
		// Asked again when it is used up: images may have been removed since it was measured.
		room, err := u.guard.quota.room(project)
		if err != nil {
			return taken, err
		}
		if room == 0 {
			break
		}
		part := from
		if room > 0 {
			part = io.LimitReader(from, room)
		}
		more, err := u.BlobWriter.ReadFrom(part)
		taken += more
		u.guard.quota.uploaded(project, more)
		if err != nil || room < 0 || more < room {
			return taken, err
		}
	}
	// The rest is read and dropped: a client that is cut off would not read why.
	dropped, err := io.Copy(io.Discard, from)
	if dropped > 0 {
		u.guard.quota.refuse(u.ID(), u.Size()+dropped)
	}
	return taken + dropped, err
}

func (u *upload) Commit(ctx context.Context, provisional v1.Descriptor) (v1.Descriptor, error) {
	project := projectOf(u.name)
	size := u.Size()
	if wanted, refused := u.guard.quota.refused(u.ID()); refused {
		return v1.Descriptor{}, u.guard.quota.denied(project, wanted)
	}
	defer u.guard.fence.pin(provisional.Digest)()
	grows := size
	if at, err := modified(filepath.Join(inFolder(u.guard.files.layers(u.name), provisional.Digest), linkFile)); err == nil && !at.IsZero() {
		grows = 0
	}
	giveBack, err := u.guard.quota.commit(project, size, grows)
	if err != nil {
		return v1.Descriptor{}, err
	}
	made, err := u.BlobWriter.Commit(ctx, provisional)
	if err != nil {
		giveBack()
		return made, err
	}
	return made, u.guard.files.touch(u.name, made.Digest, u.guard.now())
}

func (u *upload) Cancel(ctx context.Context) error {
	u.guard.quota.uploaded(projectOf(u.name), -u.Size())
	u.guard.quota.forget(u.ID())
	u.cancelled = true
	return u.BlobWriter.Cancel(ctx)
}

// Close writes where the upload stands: of one that was cancelled that would be all that is left.
func (u *upload) Close() error {
	if u.cancelled {
		return nil
	}
	return u.BlobWriter.Close()
}
