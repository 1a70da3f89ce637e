package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"runtime"
	"sort"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

const architecture = runtime.GOARCH

// What an image has that says nothing of it.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// stage is one FROM and what follows.
type stage struct {
	*build
	number int
	base   v1.Image
	config *v1.ConfigFile
	media  types.MediaType
	// ARGs that are said so far.
	args map[string]string
	// Tells what the stage is by all that made it.
	key      string
	added    []mutate.Addendum
	unpacked bool
	// The root folder after the last layer.
	files state
	// From the first layer on that was looked for in vain, none is: it would be one upon other files.
	missed bool
}

func newStage(b *build, number int, base v1.Image, key string) (*stage, error) {
	config, err := base.ConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := base.MediaType()
	if err != nil {
		return nil, err
	}
	media := types.DockerLayer
	if manifest == types.OCIManifestSchema1 {
		media = types.OCILayer
	}
	s := &stage{
		build: b, number: number, base: base, config: config.DeepCopy(), media: media, key: key,
		args: map[string]string{},
	}
	triggers := s.config.Config.OnBuild
	s.config.Config.OnBuild = nil
	for _, trigger := range triggers {
		command, err := parseOne(trigger)
		if err != nil {
			return nil, fmt.Errorf("ONBUILD %s: %w", trigger, err)
		}
		if err := s.do(command); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// env are the variables that commands of the Dockerfile see: ENV stands above ARG.
func (s *stage) env() []string {
	values := map[string]string{}
	for _, each := range platformArgs() {
		key, value, _ := strings.Cut(each, "=")
		if _, said := s.args[key]; said {
			values[key] = value
		}
	}
	for key, value := range s.args {
		values[key] = value
	}
	for _, each := range s.config.Config.Env {
		key, value, _ := strings.Cut(each, "=")
		values[key] = value
	}
	all := list(values)
	sort.Strings(all)
	return all
}

func platformArgs() []string {
	platform := "linux/" + architecture
	return []string{
		"TARGETPLATFORM=" + platform, "TARGETOS=linux", "TARGETARCH=" + architecture, "TARGETVARIANT=",
		"BUILDPLATFORM=" + platform, "BUILDOS=linux", "BUILDARCH=" + architecture, "BUILDVARIANT=",
	}
}

// unpack puts the base and the layers so far into the root folder, once.
func (s *stage) unpack(cause string) error {
	if s.unpacked {
		return nil
	}
	layers, err := s.base.Layers()
	if err != nil {
		return err
	}
	for _, each := range s.added {
		if each.Layer != nil {
			layers = append(layers, each.Layer)
		}
	}
	log.info("Unpacking rootfs as cmd %s requires it.", cause)
	for tried := 0; ; tried++ {
		err := unpacker{root: "/", ignored: s.ignored}.unpackAll(layers)
		if err == nil {
			break
		}
		if tried >= s.options.extractRetries || s.ctx.Err() != nil {
			return fmt.Errorf("failed to get filesystem from image: %w", err)
		}
		log.warn("Retrying to unpack: %v", err)
	}
	s.unpacked = true
	s.files, err = scan(s.ignored)
	return err
}

// snapshot makes a layer of what is otherwise since the last one.
func (s *stage) snapshot(created string) (v1.Layer, error) {
	log.info("Taking snapshot of full filesystem...")
	now, err := scan(s.ignored)
	if err != nil {
		return nil, err
	}
	s.layers++
	layer, err := pack(s.files, now, s.media, s.layers)
	if err != nil {
		return nil, fmt.Errorf("failed to take snapshot: %w", err)
	}
	s.files = now
	if layer == nil {
		log.info("No files were changed, appending empty layer to config. No layer added to image.")
	}
	s.append(layer, created)
	return layer, nil
}

// snapshotRest is the one layer of --single-snapshot.
func (s *stage) snapshotRest() error {
	if !s.options.singleSnapshot || !s.unpacked {
		return nil
	}
	_, err := s.snapshot("all commands of the Dockerfile")
	return err
}

func (s *stage) append(layer v1.Layer, created string) {
	s.added = append(s.added, mutate.Addendum{
		Layer:     layer,
		MediaType: s.media,
		History:   v1.History{CreatedBy: created, Created: v1.Time{Time: time.Now().UTC()}, EmptyLayer: layer == nil},
	})
}

// image is what the stage has become.
func (s *stage) image() (v1.Image, error) {
	image, err := mutate.Append(s.base, s.added...)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.Config = s.config.Config
	config.Author = s.config.Author
	config.Created = v1.Time{Time: time.Now().UTC()}
	config.Container, config.DockerVersion = "", ""
	if config.OS == "" {
		config.OS, config.Architecture = "linux", architecture
	}
	return mutate.ConfigFile(image, config)
}

// mix makes the key of what follows of it, of something new, and of what commands see.
func (s *stage) mix(parts ...string) {
	sum := sha256.New()
	is := s.config.Config
	all := append([]string{s.key, is.WorkingDir, is.User, strings.Join(is.Shell, "\n")}, s.env()...)
	for _, part := range append(all, parts...) {
		fmt.Fprintf(sum, "%d\n%s", len(part), part)
	}
	s.key = hex.EncodeToString(sum.Sum(nil))
}

// keep does a command that makes a layer, or takes the layer from where it was kept.
func (s *stage) keep(created string, kept bool, do func() error) error {
	kept = kept && s.options.cache && !s.options.singleSnapshot
	if kept && !s.missed {
		layer, err := s.registries.cached(s.key)
		if err != nil {
			log.warn("Kept layers cannot be had: %v", err)
		}
		if layer != nil {
			log.info("Using caching version of cmd: %s", created)
			if s.unpacked {
				if err := (unpacker{root: "/", ignored: s.ignored}).layer(layer); err != nil {
					return err
				}
				if s.files, err = scan(s.ignored); err != nil {
					return err
				}
			}
			s.append(layer, created)
			return nil
		}
		log.info("No cached layer found for cmd %s", created)
		s.missed = true
	}
	if err := s.unpack(created); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	if s.options.singleSnapshot {
		return nil
	}
	layer, err := s.snapshot(created)
	if err != nil || layer == nil || !kept {
		return err
	}
	if err := s.registries.keepLayer(s.key, layer); err != nil {
		log.warn("Error uploading layer to cache: %v", err)
	}
	return nil
}

func (s *stage) absolute(name string) string {
	if strings.HasPrefix(name, "/") {
		return path.Clean(name)
	}
	return path.Join("/", s.config.Config.WorkingDir, name)
}

func (s *stage) label(key, value string) {
	if s.config.Config.Labels == nil {
		s.config.Config.Labels = map[string]string{}
	}
	s.config.Config.Labels[key] = value
}

func shown(command instructions.Command) string {
	if named, is := command.(fmt.Stringer); is {
		return named.String()
	}
	return command.Name()
}
