package main

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
)

// fence keeps what a request works with from being removed meanwhile. It is in memory: the requests end with the process.
type fence struct {
	seed    maphash.Seed
	stripes [64]stripe
	// Requests whose blobs are not known before they end.
	all atomic.Int64
}

type stripe struct {
	lock sync.Mutex
	pins map[digest.Digest]int
}

func newFence() *fence {
	f := &fence{seed: maphash.MakeSeed()}
	for nth := range f.stripes {
		f.stripes[nth].pins = map[digest.Digest]int{}
	}
	return f
}

func (f *fence) of(blob digest.Digest) *stripe {
	return &f.stripes[maphash.String(f.seed, string(blob))%uint64(len(f.stripes))]
}

// pin returns when nothing removes the blobs any more, and lets nothing begin to before release is called.
func (f *fence) pin(blobs ...digest.Digest) (release func()) {
	unknown := false
	for _, blob := range blobs {
		// Bytes that come by another algorithm are kept by the canonical one.
		unknown = unknown || blob.Algorithm() != digest.Canonical
	}
	if unknown {
		f.all.Add(1)
		// Whoever removes holds a stripe: after this none that began before is left.
		for nth := range f.stripes {
			f.stripes[nth].lock.Lock()
			f.stripes[nth].lock.Unlock() //nolint:staticcheck // waits for its holder
		}
	}
	for _, blob := range blobs {
		at := f.of(blob)
		at.lock.Lock()
		at.pins[blob]++
		at.lock.Unlock()
	}
	return func() {
		for _, blob := range blobs {
			at := f.of(blob)
			at.lock.Lock()
			if at.pins[blob]--; at.pins[blob] == 0 {
				delete(at.pins, blob)
			}
			at.lock.Unlock()
		}
		if unknown {
			f.all.Add(-1)
		}
	}
}

// unused does something to a blob that no request works with. Requests that come meanwhile wait: it has to be short.
func (f *fence) unused(blob digest.Digest, do func() error) error {
	at := f.of(blob)
	at.lock.Lock()
	defer at.lock.Unlock()
	if at.pins[blob] > 0 || f.all.Load() > 0 {
		return nil
	}
	return do()
}
