package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// No Dockerfile of a person is larger.
const maxDockerfile = 1 << 20

// build is one Dockerfile with all that its stages share.
type build struct {
	ctx        context.Context
	options    *options
	registries *registries
	stages     []instructions.Stage
	lex        *shell.Lex
	// Values of --build-arg, and of the ARGs before the first FROM.
	given, global map[string]string
	ignored       ignored
	context       *folder
	// What the stages that are done have become, and where their files lie.
	images  []v1.Image
	keys    []string
	folders map[string]string
	layers  int
}

func newBuild(ctx context.Context, o *options, r *registries) (*build, error) {
	root, err := filepath.Abs(filepath.Join(o.context, o.subPath))
	if err != nil {
		return nil, err
	}
	text, name, err := readDockerfile(o.dockerfile, root)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("parsing dockerfile: %w", err)
	}
	for _, warning := range parsed.Warnings {
		log.warn("%s", warning.Short)
	}
	stages, before, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, fmt.Errorf("parsing dockerfile: %w", err)
	}
	b := &build{
		ctx: ctx, options: o, registries: r, lex: shell.NewLex(parsed.EscapeToken),
		given: map[string]string{}, global: map[string]string{}, folders: map[string]string{},
	}
	for _, each := range o.buildArgs {
		key, value, said := strings.Cut(each, "=")
		if !said {
			value = os.Getenv(key)
		}
		b.given[key] = value
	}
	for _, command := range before {
		for _, arg := range command.Args {
			if err := b.globalArg(arg); err != nil {
				return nil, err
			}
		}
	}
	if b.stages, err = b.needed(stages); err != nil {
		return nil, err
	}
	if b.ignored, err = readIgnored(o); err != nil {
		return nil, err
	}
	b.context, err = openContext(root, name)
	return b, err
}

func readDockerfile(name, root string) ([]byte, string, error) {
	place := name
	if _, err := os.Stat(place); err != nil && !filepath.IsAbs(name) {
		place = filepath.Join(root, name)
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, "", fmt.Errorf("error resolving dockerfile path: please provide a valid path to a Dockerfile within the build context with --dockerfile: %w", err)
	}
	if info.Size() > maxDockerfile {
		return nil, "", fmt.Errorf("%s has %d bytes: expected at most %d", name, info.Size(), maxDockerfile)
	}
	text, err := os.ReadFile(place)
	return text, place, err
}

func (b *build) globalArg(arg instructions.KeyValuePairOptional) error {
	value, given := b.given[arg.Key]
	if !given {
		if arg.Value == nil {
			return nil
		}
		expanded, err := b.expand(*arg.Value, list(b.global))
		if err != nil {
			return err
		}
		value = expanded
	}
	b.global[arg.Key] = value
	return nil
}

func (b *build) expand(word string, env []string) (string, error) {
	text, _, err := b.lex.ProcessWord(word, shell.EnvsFromSlice(env))
	return text, err
}

func list(values map[string]string) []string {
	all := make([]string, 0, len(values))
	for key, value := range values {
		all = append(all, key+"="+value)
	}
	return all
}

// needed are the stages up to the one that is asked for, without those after it.
func (b *build) needed(stages []instructions.Stage) ([]instructions.Stage, error) {
	if len(stages) == 0 {
		return nil, fmt.Errorf("the Dockerfile has no FROM")
	}
	if b.options.target == "" {
		return stages, nil
	}
	for at, stage := range stages {
		if strings.EqualFold(stage.Name, b.options.target) || strconv.Itoa(at) == b.options.target {
			return stages[:at+1], nil
		}
	}
	return nil, fmt.Errorf("%s is not a valid target build stage", b.options.target)
}

// stageOf finds a stage before another one, by its name or number.
func (b *build) stageOf(name string, before int) (int, bool) {
	for at := before - 1; at >= 0; at-- {
		if b.stages[at].Name != "" && strings.EqualFold(b.stages[at].Name, name) {
			return at, true
		}
	}
	if at, err := strconv.Atoi(name); err == nil && at >= 0 && at < before {
		return at, true
	}
	return 0, false
}

// uses says which stages the last one needs, and which of them others copy files from.
func (b *build) uses() (wanted, copied map[int]bool, err error) {
	wanted, copied = map[int]bool{len(b.stages) - 1: true}, map[int]bool{}
	for at := len(b.stages) - 1; at >= 0; at-- {
		if !wanted[at] {
			continue
		}
		base, err := b.expand(b.stages[at].BaseName, list(b.global))
		if err != nil {
			return nil, nil, err
		}
		if from, is := b.stageOf(base, at); is {
			wanted[from] = true
		}
		for _, command := range b.stages[at].Commands {
			if copying, is := command.(*instructions.CopyCommand); is && copying.From != "" {
				name, err := b.expand(copying.From, list(b.global))
				if err != nil {
					return nil, nil, err
				}
				if from, is := b.stageOf(name, at); is {
					wanted[from], copied[from] = true, true
				}
			}
		}
	}
	return wanted, copied, nil
}

// run builds one stage after another. @returns the last one's image
func (b *build) run() (v1.Image, error) {
	wanted, copied, err := b.uses()
	if err != nil {
		return nil, err
	}
	b.images, b.keys = make([]v1.Image, len(b.stages)), make([]string, len(b.stages))
	for at := range b.stages {
		if !wanted[at] {
			continue
		}
		last := at == len(b.stages)-1
		stage, err := b.begin(at)
		if err != nil {
			return nil, err
		}
		if copied[at] {
			if err := stage.unpack("COPY --from of a later stage"); err != nil {
				return nil, err
			}
		}
		for _, command := range b.stages[at].Commands {
			if err := b.ctx.Err(); err != nil {
				return nil, err
			}
			if err := stage.do(command); err != nil {
				return nil, err
			}
		}
		if err := stage.snapshotRest(); err != nil {
			return nil, err
		}
		if last {
			for _, label := range b.options.labels {
				key, value, _ := strings.Cut(label, "=")
				stage.label(key, value)
			}
		}
		if b.images[at], err = stage.image(); err != nil {
			return nil, err
		}
		b.keys[at] = stage.key
		if !last && stage.unpacked {
			into := ""
			if copied[at] {
				into = fmt.Sprintf("%s/stage-%d", workFolder, at)
				b.folders[strconv.Itoa(at)] = into
				if err := os.MkdirAll(into, 0o755); err != nil {
					return nil, err
				}
			}
			log.info("Deleting filesystem...")
			if err := b.ignored.clear("/", into); err != nil {
				return nil, err
			}
		}
	}
	return b.images[len(b.stages)-1], nil
}

// begin starts a stage upon its base.
func (b *build) begin(at int) (*stage, error) {
	parsed := b.stages[at]
	base, err := b.expand(parsed.BaseName, list(b.global))
	if err != nil {
		return nil, err
	}
	if base == "" {
		return nil, fmt.Errorf("FROM %s: the name of the base image is empty", parsed.BaseName)
	}
	platform, err := b.expand(parsed.Platform, append(list(b.global), platformArgs()...))
	if err != nil {
		return nil, err
	}
	var image v1.Image
	key := ""
	if from, is := b.stageOf(base, at); is {
		image, key = b.images[from], b.keys[from]
	} else if base == "scratch" {
		image, key = scratch()
	} else {
		if image, err = b.registries.pull(base, platform); err != nil {
			return nil, err
		}
		digest, err := image.Digest()
		if err != nil {
			return nil, err
		}
		key = digest.String()
	}
	return newStage(b, at, image, key)
}

func scratch() (v1.Image, string) {
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: architecture, RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		panic(err) // It is the same each time.
	}
	return image, "scratch"
}
