package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// No manifest or configuration is larger (the registry's own limit).
const maxManifest = 4 << 20

// baseImage is an image in containerd's store of contents.
type baseImage struct {
	content  string
	manifest []byte
	parsed   v1.Manifest
}

// findBase finds the image that a container was made of. The kubelet knows one that was imported by the digest of its configuration.
func findBase(content, digest string) (v1.Image, error) {
	text, err := blob(content, digest)
	if err != nil {
		return nil, fmt.Errorf("the node has the container's image no longer: %w", err)
	}
	var index v1.IndexManifest
	if json.Unmarshal(text, &index) == nil && len(index.Manifests) > 0 {
		for _, each := range index.Manifests {
			if each.Platform != nil && (each.Platform.OS != "linux" || each.Platform.Architecture != runtime.GOARCH) {
				continue
			}
			if found, err := blob(content, each.Digest.String()); err == nil {
				return asImage(content, found)
			}
		}
		return nil, errors.New("the node has nothing of the container's image for its own processors")
	}
	if found, err := asImage(content, text); err == nil {
		return found, nil
	}
	return findByConfig(content, digest)
}

func findByConfig(content, digest string) (v1.Image, error) {
	folder := filepath.Join(content, "blobs", "sha256")
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Size() > 1<<20 {
			continue
		}
		text, err := blob(content, "sha256:"+entry.Name())
		if err != nil || !strings.Contains(string(text), digest) {
			continue
		}
		var manifest v1.Manifest
		if json.Unmarshal(text, &manifest) == nil && manifest.Config.Digest.String() == digest {
			return asImage(content, text)
		}
	}
	return nil, errors.New("the node has the manifest of the container's image no longer")
}

func asImage(content string, text []byte) (v1.Image, error) {
	image := &baseImage{content: content, manifest: text}
	if err := json.Unmarshal(text, &image.parsed); err != nil {
		return nil, err
	}
	if image.parsed.Config.Digest.Hex == "" || len(image.parsed.Layers) == 0 {
		return nil, errors.New("it is no manifest of an image")
	}
	for _, layer := range image.parsed.Layers {
		if _, err := os.Stat(blobPath(content, layer.Digest.String())); err != nil {
			return nil, fmt.Errorf("the node has thrown away layer %s of the container's image: pull the image anew, or set discard_unpacked_layers of containerd to false", layer.Digest)
		}
	}
	return partial.CompressedToImage(image)
}

func blobPath(content, digest string) string {
	return filepath.Join(content, "blobs", "sha256", strings.TrimPrefix(digest, "sha256:"))
}

func blob(content, digest string) ([]byte, error) {
	if !digestForm.MatchString(digest) {
		return nil, fmt.Errorf("%q is no digest", digest)
	}
	file, err := os.Open(blobPath(content, digest))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxManifest+1))
	if err == nil && len(text) > maxManifest {
		err = fmt.Errorf("%s is larger than a manifest can be", digest)
	}
	return text, err
}

func (b *baseImage) RawConfigFile() ([]byte, error) {
	return blob(b.content, b.parsed.Config.Digest.String())
}
func (b *baseImage) RawManifest() ([]byte, error) { return b.manifest, nil }
func (b *baseImage) MediaType() (types.MediaType, error) {
	if b.parsed.MediaType == "" {
		return types.OCIManifestSchema1, nil
	}
	return b.parsed.MediaType, nil
}

func (b *baseImage) LayerByDigest(digest v1.Hash) (partial.CompressedLayer, error) {
	for _, layer := range b.parsed.Layers {
		if layer.Digest == digest {
			return &storedLayer{path: blobPath(b.content, digest.String()), descriptor: layer}, nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %s", digest)
}

// storedLayer is one in a file, as it is pushed.
type storedLayer struct {
	path       string
	descriptor v1.Descriptor
}

func (l *storedLayer) Digest() (v1.Hash, error)            { return l.descriptor.Digest, nil }
func (l *storedLayer) Size() (int64, error)                { return l.descriptor.Size, nil }
func (l *storedLayer) MediaType() (types.MediaType, error) { return l.descriptor.MediaType, nil }
func (l *storedLayer) Compressed() (io.ReadCloser, error)  { return os.Open(l.path) }
