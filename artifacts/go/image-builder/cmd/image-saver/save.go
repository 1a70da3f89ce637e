package main

import (
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // The image has no list of authorities.

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const scratchPattern = "layer-*"

// save tells what docker's commit and push tell: https://docs.docker.com/reference/api/engine/#tag/Image/operation/ImagePush
func save(ctx context.Context, s settings, c *container, asked request, tell func(line)) error {
	options := []name.Option{name.StrictValidation}
	if asked.Registry.Plain {
		options = append(options, name.Insecure)
	}
	tag, err := name.NewTag(asked.Image, options...)
	if err != nil {
		return err
	}
	base, err := findBase(s.content, asked.Digest)
	if err != nil {
		return err
	}
	auth := authn.FromConfig(authn.AuthConfig{Username: "token", Password: asked.Registry.Password})
	way := wayTo(asked.Registry, tag.RegistryStr())
	// Said at once, not after the work.
	if err := remote.CheckPushPermission(tag, fixed{auth}, way); err != nil {
		return fmt.Errorf("the registry does not take the image: %w", err)
	}
	tell(line{"status": "CommitStarted", "details": line{"container": asked.Container, "image": asked.Image}})
	layer, err := makeLayer(ctx, s, c, base)
	if err != nil {
		return fmt.Errorf("what the container has changed cannot be read: %w", err)
	}
	defer os.Remove(layer.path)
	history := v1.History{Created: v1.Time{Time: time.Now().UTC()}, CreatedBy: "apolo job save"}
	image, err := mutate.Append(base, mutate.Addendum{Layer: layer, History: history})
	if err != nil {
		return err
	}
	if image, err = mutate.CreatedAt(image, history.Created); err != nil {
		return err
	}
	tell(line{"status": "CommitFinished"})
	updates := make(chan v1.Update, 16)
	told := make(chan struct{})
	go func() {
		defer close(told)
		last := time.Time{}
		for update := range updates {
			if update.Error != nil || time.Since(last) < 500*time.Millisecond && update.Complete < update.Total {
				continue
			}
			last = time.Now()
			tell(line{"id": "layers", "status": "Pushing", "progress": fmt.Sprintf("%d/%d", update.Complete, update.Total),
				"progressDetail": line{"current": update.Complete, "total": update.Total}})
		}
	}()
	err = remote.Write(tag, image, remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(way),
		remote.WithUserAgent("delos-image-saver"), remote.WithJobs(2), remote.WithProgress(updates))
	<-told
	if err != nil {
		return fmt.Errorf("the image could not be pushed: %w", err)
	}
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	tell(line{"status": fmt.Sprintf("%s: digest: %s", tag.TagStr(), digest)})
	return nil
}

// fixed shows the same to every registry: there is but one.
type fixed struct{ auth authn.Authenticator }

func (f fixed) Resolve(authn.Resource) (authn.Authenticator, error) { return f.auth, nil }

func wayTo(to registry, host string) http.RoundTripper {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	way := remote.DefaultTransport.(*http.Transport).Clone()
	way.Proxy = nil
	way.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if to.At != "" && (address == host || address == host+":443" || address == host+":80") {
			address = to.At
		}
		return dialer.DialContext(ctx, network, address)
	}
	if to.Authorities != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(to.Authorities))
		way.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return way
}

// savedLayer is the new one: written once, since the container goes on and would not be read the same twice.
type savedLayer struct {
	storedLayer
	diff v1.Hash
}

func (l *savedLayer) DiffID() (v1.Hash, error) { return l.diff, nil }
func (l *savedLayer) Uncompressed() (io.ReadCloser, error) {
	file, err := os.Open(l.path)
	if err != nil {
		return nil, err
	}
	return gzip.NewReader(file)
}

func makeLayer(ctx context.Context, s settings, c *container, base v1.Image) (*savedLayer, error) {
	file, err := os.CreateTemp(s.scratch, scratchPattern)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	packed, plain := sha256.New(), sha256.New()
	out := &bounded{to: io.MultiWriter(file, packed), left: s.mostBytes, most: s.mostBytes}
	zipped, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err == nil {
		err = errors.Join(writeChanges(ctx, c, io.MultiWriter(zipped, plain)))
	}
	if err == nil {
		err = zipped.Close()
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return nil, err
	}
	kind := types.OCILayer
	if of, err := base.MediaType(); err == nil && of == types.DockerManifestSchema2 {
		kind = types.DockerLayer
	}
	descriptor := v1.Descriptor{MediaType: kind, Size: s.mostBytes - out.left, Digest: sum(packed)}
	return &savedLayer{storedLayer{path: file.Name(), descriptor: descriptor}, sum(plain)}, nil
}

func sum(of hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(of.Sum(nil))}
}

// bounded ends a layer that the node has no room for.
type bounded struct {
	to         io.Writer
	left, most int64
}

func (b *bounded) Write(part []byte) (int, error) {
	if int64(len(part)) > b.left {
		return 0, fmt.Errorf("it is more than %d bytes, the most of one image: put data into the storage or a disk", b.most)
	}
	b.left -= int64(len(part))
	return b.to.Write(part)
}

func clearScratch(folder string) error {
	left, err := filepath.Glob(filepath.Join(folder, strings.ReplaceAll(scratchPattern, "*", "[0-9]*")))
	for _, file := range left {
		err = errors.Join(err, os.Remove(file))
	}
	return err
}
