package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/distribution/distribution/v3"
	middleware "github.com/distribution/distribution/v3/registry/middleware/repository"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// guard stands between distribution's requests, after they were authorized, and its store. What a request relies on is pinned
// while it runs, and touched when it has ended, so that no collection that has begun removes it.
type guard struct {
	files store
	fence *fence
	quota *quota
	now   func() time.Time
}

// The name by which distribution's settings ask for the guard.
const guardName = "delos"

func (g *guard) register() error {
	return middleware.Register(guardName, func(_ context.Context, inner distribution.Repository, _ map[string]any) (distribution.Repository, error) {
		return guarded{inner, g}, nil
	})
}

type guarded struct {
	distribution.Repository
	guard *guard
}

func (r guarded) Manifests(ctx context.Context, options ...distribution.ManifestServiceOption) (distribution.ManifestService, error) {
	inner, err := r.Repository.Manifests(ctx, options...)
	return manifests{inner, r.guard, r.Named().Name(), r.Tags(ctx)}, err
}

func (r guarded) Tags(ctx context.Context) distribution.TagService {
	return tags{r.Repository.Tags(ctx), r.guard, r.Named().Name()}
}

func (r guarded) Blobs(ctx context.Context) distribution.BlobStore {
	return blobs{r.Repository.Blobs(ctx), r.guard, r.Named().Name()}
}

// lately is how old a sign of use may be before a look renews it.
func (g *guard) lately(grace time.Duration) time.Duration { return min(grace/8, time.Hour) }

// seen renews the sign of use of a blob that a client was told of, which may rely on it in its next requests.
func (g *guard) seen(name string, of digest.Digest) {
	now := g.now()
	if touched, err := g.files.touched(name, of); err == nil && now.Sub(touched) > g.lately(g.quota.grace) {
		_ = g.files.touch(name, of, now)
	}
}

type manifests struct {
	distribution.ManifestService
	guard *guard
	name  string
	tags  distribution.TagService
}

func (m manifests) Get(ctx context.Context, of digest.Digest, options ...distribution.ManifestServiceOption) (distribution.Manifest, error) {
	defer m.guard.fence.pin(of)()
	found, err := m.ManifestService.Get(ctx, of, options...)
	if err == nil {
		m.guard.seen(m.name, of)
	}
	return found, err
}

func (m manifests) Put(ctx context.Context, manifest distribution.Manifest, options ...distribution.ManifestServiceOption) (digest.Digest, error) {
	_, payload, err := manifest.Payload()
	if err != nil {
		return "", err
	}
	own := digest.FromBytes(payload)
	used := append(referencesIn(payload), own)
	defer m.guard.fence.pin(used...)()
	if err := m.touch(used); err != nil {
		return "", err
	}
	size := int64(len(payload))
	if there, err := m.guard.files.size(own); err == nil && there > 0 {
		size = 0
	}
	giveBack, err := m.guard.quota.take(projectOf(m.name), size)
	if err != nil {
		return "", err
	}
	put, err := m.ManifestService.Put(ctx, manifest, options...)
	if err != nil {
		giveBack()
		return put, err
	}
	// From now on a collection finds it; one that has begun sees when this was.
	return put, m.touch(used)
}

func (m manifests) touch(used []digest.Digest) error {
	now := m.guard.now()
	for _, of := range used {
		resolved, err := m.guard.files.canonical(m.name, of)
		if err != nil {
			return err
		}
		for _, each := range resolved {
			if err := m.guard.files.touch(m.name, each, now); err != nil {
				return err
			}
		}
	}
	return nil
}

type blobs struct {
	distribution.BlobStore
	guard *guard
	name  string
}

func (b blobs) Stat(ctx context.Context, of digest.Digest) (v1.Descriptor, error) {
	defer b.guard.fence.pin(of)()
	found, err := b.BlobStore.Stat(ctx, of)
	if err == nil {
		b.guard.seen(b.name, of)
		if found.Digest != of {
			b.guard.seen(b.name, found.Digest)
		}
	}
	return found, err
}

func (b blobs) Create(ctx context.Context, options ...distribution.BlobCreateOption) (distribution.BlobWriter, error) {
	var wanted distribution.CreateOptions
	for _, option := range options {
		if err := option.Apply(&wanted); err != nil {
			return nil, err
		}
	}
	if !wanted.Mount.ShouldMount {
		return b.writer(b.BlobStore.Create(ctx, options...))
	}
	of := wanted.Mount.From.Digest()
	defer b.guard.fence.pin(of)()
	size := int64(0)
	if project := projectOf(b.name); projectOf(wanted.Mount.From.Name()) != project {
		var err error
		if size, err = b.guard.files.size(of); err != nil {
			return nil, err
		}
	}
	giveBack, err := b.guard.quota.take(projectOf(b.name), size)
	if err != nil {
		// The client then uploads it, and is told at the end. Nothing that a mount is answered could say why.
		return b.writer(b.BlobStore.Create(ctx))
	}
	writer, err := b.writer(b.BlobStore.Create(ctx, options...))
	if _, mounted := err.(distribution.ErrBlobMounted); !mounted {
		giveBack()
		return writer, err
	}
	if failed := b.guard.files.touch(b.name, of, b.guard.now()); failed != nil {
		return nil, failed
	}
	return nil, err
}

func (b blobs) Resume(ctx context.Context, id string) (distribution.BlobWriter, error) {
	return b.writer(b.BlobStore.Resume(ctx, id))
}

func (b blobs) writer(inner distribution.BlobWriter, err error) (distribution.BlobWriter, error) {
	if err != nil || inner == nil {
		return inner, err
	}
	return &upload{BlobWriter: inner, guard: b.guard, name: b.name}, nil
}

func (b blobs) Put(ctx context.Context, mediaType string, content []byte) (v1.Descriptor, error) {
	of := digest.FromBytes(content)
	defer b.guard.fence.pin(of)()
	put, err := b.BlobStore.Put(ctx, mediaType, content)
	if err != nil {
		return put, err
	}
	return put, b.guard.files.touch(b.name, of, b.guard.now())
}

// touched is when the blob was last in use, as far as the store tells.
func (s store) touched(name string, of digest.Digest) (time.Time, error) {
	oldest := time.Time{}
	for _, path := range s.signs(name, of) {
		at, err := modified(path)
		if gone(err) {
			continue
		}
		if err != nil {
			return oldest, err
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest, nil
}

// signs are the files whose times say when a blob was last in use in a repository.
func (s store) signs(name string, of digest.Digest) []string {
	return []string{
		filepath.Join(s.blob(of), dataFile),
		filepath.Join(inFolder(s.layers(name), of), linkFile),
		filepath.Join(inFolder(s.revisions(name), of), linkFile),
	}
}

// canonical gives a digest, and the one by which its bytes are kept where that is another.
func (s store) canonical(name string, of digest.Digest) ([]digest.Digest, error) {
	if of.Algorithm() == digest.Canonical {
		return []digest.Digest{of}, nil
	}
	other, err := readLink(filepath.Join(inFolder(s.layers(name), of), linkFile))
	if err != nil || other == "" || other == of {
		return []digest.Digest{of}, err
	}
	return []digest.Digest{of, other}, nil
}
