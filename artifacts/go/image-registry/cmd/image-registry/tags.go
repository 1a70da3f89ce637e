package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Delete removes a manifest after its tags: cut off between, it leaves an image without a tag, and no tag without an image.
// Distribution by itself does it the other way round.
func (m manifests) Delete(ctx context.Context, of digest.Digest) error {
	named, err := m.tags.Lookup(ctx, v1.Descriptor{Digest: of})
	if err != nil {
		return err
	}
	for _, tag := range named {
		var absent driver.PathNotFoundError
		if err := m.tags.Untag(ctx, tag); err != nil && !errors.As(err, &absent) {
			return err
		}
	}
	return m.ManifestService.Delete(ctx, of)
}

type tags struct {
	distribution.TagService
	guard *guard
	name  string
}

// Tag names a manifest. One that somebody removes at this moment gets no name: the tag would lead nowhere.
func (t tags) Tag(ctx context.Context, tag string, of v1.Descriptor) error {
	if err := t.TagService.Tag(ctx, tag, of); err != nil {
		return err
	}
	_, err := os.Stat(filepath.Join(inFolder(t.guard.files.revisions(t.name), of.Digest), linkFile))
	if !gone(err) {
		return err
	}
	return errors.Join(distribution.ErrManifestUnknownRevision{Name: t.name, Revision: of.Digest}, t.Untag(ctx, tag))
}
