package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Bytes of a part of a large object, which are in memory. S3 takes 10,000 parts: a base backup of 156 GiB, compressed.
const partBytes = 16 << 20

// How long one request may take: a part at 128 KiB a second.
const requestTime = 5 * time.Minute

// store is the bucket. What it keeps is compressed, and encrypted where there is a key.
type store struct {
	client *minio.Client
	bucket string
	keys   []*age.X25519Identity
}

var errNotThere = errors.New("not there")

func openStore(given settings) (*store, error) {
	if _, err := secretIn(given.secretFile); err != nil {
		return nil, fmt.Errorf("the secret of the bucket's access key: %w", err)
	}
	transport, err := minio.DefaultTransport(given.endpoint.Scheme == "https")
	if err != nil {
		return nil, err
	}
	transport.Proxy = http.ProxyFromEnvironment
	transport.ResponseHeaderTimeout = requestTime
	if given.trust != "" {
		text, err := os.ReadFile(given.trust)
		if err != nil {
			return nil, fmt.Errorf("the authority of the object storage: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", given.trust)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	client, err := minio.New(given.endpoint.Host, &minio.Options{
		Creds:        credentials.New(liveKey{given.accessKey, given.secretFile}),
		Secure:       given.endpoint.Scheme == "https",
		Region:       given.region,
		BucketLookup: minio.BucketLookupPath,
		Transport:    prefixed{transport, strings.TrimSuffix(given.endpoint.Path, "/")},
		MaxRetries:   3,
	})
	if err != nil {
		return nil, err
	}
	return &store{client, given.bucket, given.keys}, nil
}

// liveKey is the bucket's access key, whose secret is read for each request: it may have become another.
type liveKey struct{ accessKey, secretFile string }

func (k liveKey) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	secret, err := secretIn(k.secretFile)
	if err != nil {
		return credentials.Value{}, fmt.Errorf("the secret of the bucket's access key: %w", err)
	}
	return credentials.Value{AccessKeyID: k.accessKey, SecretAccessKey: secret, SignerType: credentials.SignatureV4}, nil
}

func (k liveKey) Retrieve() (credentials.Value, error) { return k.RetrieveWithCredContext(nil) }

func (k liveKey) IsExpired() bool { return true }

// prefixed would lead requests to a storage below a path; a signature covers the path, so that such a storage is refused.
type prefixed struct {
	http.RoundTripper
	path string
}

func (p prefixed) RoundTrip(request *http.Request) (*http.Response, error) {
	if p.path != "" {
		return nil, fmt.Errorf("the object storage is below the path %s: the archive needs one at the root of its host", p.path)
	}
	return p.RoundTripper.RoundTrip(request)
}

// suffix says how an object's content is kept.
func (s *store) suffix() string {
	if len(s.keys) == 0 {
		return ".zst"
	}
	return ".zst.age"
}

// recipient names the key that encrypts; empty for none. It is no secret.
func (s *store) recipient() string {
	if len(s.keys) == 0 {
		return ""
	}
	return s.keys[0].Recipient().String()
}

// seal compresses and encrypts what is written to it.
func (s *store) seal(into io.Writer) (io.WriteCloser, error) {
	outer := io.WriteCloser(nothingToClose{into})
	if len(s.keys) > 0 {
		encrypted, err := age.Encrypt(into, s.keys[0].Recipient())
		if err != nil {
			return nil, err
		}
		outer = encrypted
	}
	inner, err := zstd.NewWriter(outer, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, err
	}
	return &both{inner, outer}, nil
}

type nothingToClose struct{ io.Writer }

func (nothingToClose) Close() error { return nil }

type both struct{ inner, outer io.WriteCloser }

func (b *both) Write(bytes []byte) (int, error) { return b.inner.Write(bytes) }
func (b *both) Close() error                    { return errors.Join(b.inner.Close(), b.outer.Close()) }

// putSealed keeps a content that is in memory, under the key and the suffix of its form.
func (s *store) putSealed(ctx context.Context, key string, content []byte, about map[string]string) error {
	var sealed bytes.Buffer
	writer, err := s.seal(&sealed)
	if err != nil {
		return err
	}
	if _, err := writer.Write(content); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return s.put(ctx, key+s.suffix(), sealed.Bytes(), about)
}

func (s *store) put(ctx context.Context, key string, content []byte, about map[string]string) error {
	ctx, end := context.WithTimeout(ctx, requestTime)
	defer end()
	_, err := s.client.PutObject(ctx, s.bucket, key, bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{
		UserMetadata: about,
	})
	return err
}

// putStream keeps what `from` writes, whose length is not known. A stream that fails leaves no object.
func (s *store) putStream(ctx context.Context, key string, from func(io.Writer) error) error {
	reader, writer := io.Pipe()
	go func() {
		sealed, err := s.seal(writer)
		if err == nil {
			if err = from(sealed); err == nil {
				err = sealed.Close()
			}
		}
		writer.CloseWithError(err)
	}()
	_, err := s.client.PutObject(ctx, s.bucket, key+s.suffix(), reader, -1, minio.PutObjectOptions{PartSize: partBytes})
	reader.CloseWithError(errors.New("nobody reads on"))
	return err
}

// open gives an object's content as it was before it was sealed. `key` has its suffix.
func (s *store) open(ctx context.Context, key string) (io.ReadCloser, error) {
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	var plain io.Reader = object
	if strings.HasSuffix(key, ".age") {
		identities := make([]age.Identity, len(s.keys))
		for index, each := range s.keys {
			identities[index] = each
		}
		if len(identities) == 0 {
			return nil, fmt.Errorf("%s is encrypted, and no key is given", key)
		}
		if plain, err = age.Decrypt(object, identities...); err != nil {
			var wrong *age.NoIdentityMatchError
			if errors.As(err, &wrong) {
				return nil, fmt.Errorf("%s is encrypted for another key than the given one (%s)", key, s.recipient())
			}
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	inflated, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return opened{inflated, object}, nil
}

type opened struct {
	*zstd.Decoder
	object io.Closer
}

func (o opened) Close() error {
	o.Decoder.Close()
	return o.object.Close()
}

// read gives a small object that is not sealed. @error errNotThere
func (s *store) read(ctx context.Context, key string) ([]byte, error) {
	ctx, end := context.WithTimeout(ctx, requestTime)
	defer end()
	object, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err == nil {
		defer object.Close()
		var content []byte
		if content, err = io.ReadAll(io.LimitReader(object, 1<<20)); err == nil {
			return content, nil
		}
	}
	return nil, absent(err)
}

func absent(err error) error {
	if code := minio.ToErrorResponse(err).Code; code == "NoSuchKey" || code == "NotFound" {
		return errNotThere
	}
	return err
}

// about gives what was said of an object when it was put.
func (s *store) about(ctx context.Context, key string) (map[string]string, error) {
	ctx, end := context.WithTimeout(ctx, requestTime)
	defer end()
	info, err := s.client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
	if err != nil {
		return nil, absent(err)
	}
	said := map[string]string{}
	for name, value := range info.UserMetadata {
		said[strings.ToLower(name)] = value
	}
	return said, nil
}

// object is one of the bucket. Its name has not the prefix that was asked for.
type object struct {
	name  string
	bytes int64
	since time.Time
}

func (s *store) list(ctx context.Context, prefix string) ([]object, error) {
	ctx, end := context.WithTimeout(ctx, requestTime)
	defer end()
	var found []object
	for each := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true}) {
		if each.Err != nil {
			return nil, each.Err
		}
		found = append(found, object{strings.TrimPrefix(each.Key, prefix), each.Size, each.LastModified})
	}
	return found, nil
}

func (s *store) remove(ctx context.Context, key string) error {
	ctx, end := context.WithTimeout(ctx, requestTime)
	defer end()
	return s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{})
}
