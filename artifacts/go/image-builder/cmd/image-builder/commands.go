package main

import (
	"fmt"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// do carries out one command of the Dockerfile.
func (s *stage) do(command instructions.Command) error {
	if expands, is := command.(instructions.SupportsSingleWordExpansion); is {
		env := s.env()
		if err := expands.Expand(func(word string) (string, error) { return s.expand(word, env) }); err != nil {
			return fmt.Errorf("%s: %w", shown(command), err)
		}
	}
	text := shown(command)
	log.info("%s", text)
	config := &s.config.Config
	switch c := command.(type) {
	case *instructions.RunCommand:
		return s.run(c, text)
	case *instructions.CopyCommand:
		return s.copy(copying{
			SourcesAndDest: c.SourcesAndDest, from: c.From, chown: c.Chown, chmod: c.Chmod,
			parents: c.Parents, exclude: c.ExcludePatterns, text: text,
		})
	case *instructions.AddCommand:
		return s.copy(copying{
			SourcesAndDest: c.SourcesAndDest, chown: c.Chown, chmod: c.Chmod,
			exclude: c.ExcludePatterns, adds: true, checksum: c.Checksum, text: text,
		})
	case *instructions.WorkdirCommand:
		return s.workdir(c.Path, text)
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			setEnv(config, pair.Key, pair.Value)
		}
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			s.arg(arg)
		}
	case *instructions.LabelCommand:
		for _, pair := range c.Labels {
			s.label(pair.Key, pair.Value)
		}
	case *instructions.MaintainerCommand:
		s.config.Author = c.Maintainer
	case *instructions.UserCommand:
		config.User = c.User
	case *instructions.ExposeCommand:
		if config.ExposedPorts == nil {
			config.ExposedPorts = map[string]struct{}{}
		}
		for _, port := range c.Ports {
			if !strings.Contains(port, "/") {
				port += "/tcp"
			}
			config.ExposedPorts[port] = struct{}{}
		}
	case *instructions.VolumeCommand:
		if config.Volumes == nil {
			config.Volumes = map[string]struct{}{}
		}
		for _, volume := range c.Volumes {
			config.Volumes[volume] = struct{}{}
		}
	case *instructions.CmdCommand:
		config.Cmd = s.words(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		config.Entrypoint = s.words(c.ShellDependantCmdLine)
		// That of the base was meant for the base's own.
		config.Cmd = nil
	case *instructions.ShellCommand:
		config.Shell = c.Shell
	case *instructions.StopSignalCommand:
		config.StopSignal = c.Signal
	case *instructions.HealthCheckCommand:
		config.Healthcheck = &v1.HealthConfig{
			Test: c.Health.Test, Interval: c.Health.Interval, Timeout: c.Health.Timeout,
			StartPeriod: c.Health.StartPeriod, Retries: c.Health.Retries,
		}
	case *instructions.OnbuildCommand:
		config.OnBuild = append(config.OnBuild, c.Expression)
	default:
		return fmt.Errorf("this builder does not know %s", command.Name())
	}
	s.mix(text)
	if command.Name() != "ARG" {
		s.append(nil, text)
	}
	return nil
}

func setEnv(config *v1.Config, key, value string) {
	for at, each := range config.Env {
		if strings.HasPrefix(each, key+"=") {
			config.Env[at] = key + "=" + value
			return
		}
	}
	config.Env = append(config.Env, key+"="+value)
}

// arg says an ARG: --build-arg stands above its default, and that of one before the first FROM below.
func (s *stage) arg(arg instructions.KeyValuePairOptional) {
	if value, given := s.given[arg.Key]; given {
		s.args[arg.Key] = value
		return
	}
	if arg.Value != nil {
		s.args[arg.Key] = *arg.Value
		return
	}
	if value, said := s.global[arg.Key]; said {
		s.args[arg.Key] = value
		return
	}
	for _, each := range platformArgs() {
		if key, value, _ := strings.Cut(each, "="); key == arg.Key {
			s.args[key] = value
		}
	}
}

func (s *stage) shell() []string {
	if len(s.config.Config.Shell) > 0 {
		return s.config.Config.Shell
	}
	return []string{"/bin/sh", "-c"}
}

func (s *stage) words(line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		return line.CmdLine
	}
	return append(append([]string{}, s.shell()...), strings.Join(line.CmdLine, " "))
}

func (s *stage) workdir(name, text string) error {
	s.config.Config.WorkingDir = s.absolute(name)
	s.mix(text)
	return s.keep(text, false, func() error {
		place, err := resolve("/", s.config.Config.WorkingDir, true)
		if err != nil {
			return err
		}
		if info, err := os.Stat(place); err == nil && info.IsDir() {
			return nil
		}
		owner, err := s.ownerOf(s.config.Config.User)
		if err != nil {
			return err
		}
		return makeFolders(place, owner)
	})
}

// parseOne reads a command that an image asks for when it is built on.
func parseOne(text string) (instructions.Command, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	if len(parsed.AST.Children) != 1 {
		return nil, fmt.Errorf("expected one command")
	}
	return instructions.ParseCommand(parsed.AST.Children[0])
}
