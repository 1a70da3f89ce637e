package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	_ "golang.org/x/crypto/x509roots/fallback" // The image has no list of authorities.

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// registries is the way to all of them. The platform's own may have another address in the cluster than in names of images.
type registries struct {
	ctx       context.Context
	options   *options
	keys      keys
	transport http.RoundTripper
	// `HOST[:PORT]` of the platform's registry, as images are named by it; empty where nobody says it.
	own string
	// Whether that one speaks plain http.
	plain bool
}

const retryPause = time.Second

func newRegistries(ctx context.Context, o *options, k keys) *registries {
	r := &registries{
		ctx: ctx, options: o, keys: k,
		own:   os.Getenv("DELOS_REGISTRY"),
		plain: os.Getenv("DELOS_REGISTRY_PLAIN") == "true",
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	at := os.Getenv("DELOS_REGISTRY_AT")
	way := remote.DefaultTransport.(*http.Transport).Clone()
	way.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if at != "" && r.own != "" && (address == r.own || address == withPort(r.own, r.plain)) {
			address = at
		}
		return dialer.DialContext(ctx, network, address)
	}
	proxied := way.Proxy
	way.Proxy = func(request *http.Request) (*url.URL, error) {
		if at != "" && request.URL.Host == r.own {
			return nil, nil
		}
		return proxied(request)
	}
	if further := os.Getenv("DELOS_REGISTRY_AUTHORITIES"); further != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(further))
		way.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	r.transport = way
	return r
}

func withPort(host string, plain bool) string {
	switch {
	case strings.Contains(host, ":"):
		return host
	case plain:
		return host + ":80"
	default:
		return host + ":443"
	}
}

func (r *registries) access(platform *v1.Platform) []remote.Option {
	all := []remote.Option{
		remote.WithContext(r.ctx), remote.WithAuthFromKeychain(r.keys), remote.WithTransport(r.transport),
		remote.WithUserAgent("delos-image-builder"), remote.WithJobs(2),
	}
	if platform != nil {
		all = append(all, remote.WithPlatform(*platform))
	}
	return all
}

func (r *registries) nameOptions(image string) []name.Option {
	if r.plain && r.own != "" && strings.HasPrefix(image, r.own+"/") {
		return []name.Option{name.WeakValidation, name.Insecure}
	}
	return []name.Option{name.WeakValidation}
}

func (r *registries) reference(image string) (name.Reference, error) {
	// A name may come with a scheme, as the client's Dockerfile of `image transfer` has it.
	image = strings.TrimPrefix(strings.TrimPrefix(image, "https://"), "http://")
	return name.ParseReference(image, r.nameOptions(image)...)
}

func (r *registries) mayPush(destination string) error {
	tag, err := r.reference(destination)
	if err != nil {
		return fmt.Errorf("--destination %s: %w", destination, err)
	}
	if err := remote.CheckPushPermission(tag, r.keys, r.transport); err != nil {
		return fmt.Errorf("error checking push permissions -- make sure you entered the correct tag name, and that you are authenticated correctly, and try again: checking push permission for %q: %w", destination, err)
	}
	return nil
}

func (r *registries) platform(asked string) (*v1.Platform, error) {
	if asked == "" {
		asked = r.options.platform
	}
	if asked == "" {
		return &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	return v1.ParsePlatform(asked)
}

// pull reads an image's manifest and configuration. Its layers are read when they are needed.
func (r *registries) pull(image, platform string) (v1.Image, error) {
	reference, err := r.reference(image)
	if err != nil {
		return nil, err
	}
	on, err := r.platform(platform)
	if err != nil {
		return nil, err
	}
	log.info("Retrieving image manifest %s", image)
	var found v1.Image
	err = r.again(r.options.pullRetries, func() error {
		found, err = remote.Image(reference, r.access(on)...)
		return err
	})
	return found, err
}

// cached looks for the layer of a command.
func (r *registries) cached(key string) (v1.Layer, error) {
	tag, err := r.cacheTag(key)
	if err != nil {
		return nil, err
	}
	log.info("Checking for cached layer %s...", tag)
	image, err := remote.Image(tag, r.access(nil)...)
	var failed *transport.Error
	if errors.As(err, &failed) && failed.StatusCode == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil || len(layers) != 1 || time.Since(config.Created.Time) > r.options.cacheTTL {
		return nil, err
	}
	return layers[0], nil
}

func (r *registries) keepLayer(key string, layer v1.Layer) error {
	tag, err := r.cacheTag(key)
	if err != nil {
		return err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return err
	}
	if image, err = mutate.CreatedAt(image, v1.Time{Time: time.Now()}); err != nil {
		return err
	}
	log.info("Pushing layer %s to cache now", tag)
	return r.again(r.options.pushRetries, func() error { return remote.Write(tag, image, r.access(nil)...) })
}

func (r *registries) cacheTag(key string) (name.Reference, error) {
	repository := r.options.cacheRepo
	if repository == "" {
		first, err := r.reference(r.options.destinations[0])
		if err != nil {
			return nil, err
		}
		repository = first.Context().Name() + "/cache"
	}
	return r.reference(repository + ":" + key)
}

func (r *registries) push(image v1.Image) error {
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	if err := writeFile(r.options.digestFile, digest.String()); err != nil {
		return err
	}
	if r.options.noPush {
		log.info("Skipping push to container registry due to --no-push flag")
		return nil
	}
	names := ""
	for _, destination := range r.options.destinations {
		tag, err := r.reference(destination)
		if err != nil {
			return err
		}
		log.info("Pushing image to %s", destination)
		if err := r.again(r.options.pushRetries, func() error { return remote.Write(tag, image, r.access(nil)...) }); err != nil {
			return fmt.Errorf("error pushing image: failed to push to destination %s: %w", destination, err)
		}
		log.info("Pushed %s@%s", tag.Context().Name(), digest)
		names += fmt.Sprintf("%s@%s\n", tag.Context().Name(), digest)
	}
	return writeFile(r.options.nameWithDigestFile, names)
}

// again tries what may have failed by the way there. What is refused is not asked for again.
func (r *registries) again(times int, try func() error) error {
	for tried := 0; ; tried++ {
		err := try()
		var failed *transport.Error
		final := errors.As(err, &failed) && failed.StatusCode/100 == 4 && failed.StatusCode != http.StatusTooManyRequests
		if err == nil || final || tried >= times || r.ctx.Err() != nil {
			return err
		}
		log.warn("Retrying: %v", err)
		time.Sleep(retryPause << min(tried, 5))
	}
}

func writeFile(file, text string) error {
	if file == "" {
		return nil
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
