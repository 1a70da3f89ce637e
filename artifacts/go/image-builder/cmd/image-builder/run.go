package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// Variables by which the platform tells a container of its way out; commands have them, and images do not.
var wayOut = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "FTP_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "ftp_proxy", "all_proxy",
	"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "PIP_CERT", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
	"NODE_USE_ENV_PROXY",
}

// run executes a RUN in the root folder.
func (s *stage) run(command *instructions.RunCommand, text string) error {
	for _, mount := range instructions.GetMounts(command) {
		if mount.Type != instructions.MountTypeCache && mount.Type != instructions.MountTypeTmpfs {
			return fmt.Errorf("%s: this builder has no RUN --mount=type=%s; copy what the command needs", text, mount.Type)
		}
		log.warn("RUN --mount=type=%s,target=%s: a folder of the image is used", mount.Type, mount.Target)
	}
	words := s.words(command.ShellDependantCmdLine)
	if len(command.Files) > 0 {
		if !command.PrependShell || len(command.Files) != 1 || !strings.HasPrefix(strings.TrimSpace(strings.Join(command.CmdLine, " ")), "<<") {
			return fmt.Errorf("%s: this builder takes a here-document as the whole of a RUN alone", text)
		}
		words = append(append([]string{}, s.shell()...), command.Files[0].Data)
		text += "\n" + command.Files[0].Data
	}
	s.mix(text)
	return s.keep(text, s.options.cacheRuns, func() error {
		for _, mount := range instructions.GetMounts(command) {
			if err := os.MkdirAll(s.absolute(mount.Target), 0o755); err != nil {
				return err
			}
		}
		return s.execute(words)
	})
}

func (s *stage) execute(words []string) error {
	account, err := s.accountOf(s.config.Config.User)
	if err != nil {
		return err
	}
	env := s.runEnv(account)
	log.info("Cmd: %s", words[0])
	log.info("Args: %q", words[1:])
	program, err := find(words[0], env)
	if err != nil {
		return err
	}
	folder := s.absolute("")
	if err := makeFolders(folder, owner{}); err != nil {
		return err
	}
	command := exec.Command(program, words[1:]...)
	command.Args[0] = words[0]
	command.Env, command.Dir, command.Stdout, command.Stderr = env, folder, os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:    true,
		Credential: &syscall.Credential{Uid: uint32(account.uid), Gid: uint32(account.gid), Groups: account.groups},
	}
	log.info("Running: %q", words)
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting command: %w", err)
	}
	ended := make(chan struct{})
	go func() {
		select {
		case <-s.ctx.Done():
			_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		case <-ended:
		}
	}()
	err = command.Wait()
	close(ended)
	endOthers(command.Process.Pid)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("failed to execute command: waiting for process to exit: %w", exit)
	}
	return err
}

// endOthers ends what the command has left running: nothing may change files after their snapshot.
func endOthers(group int) {
	_ = syscall.Kill(-group, syscall.SIGKILL)
	if os.Getpid() == 1 {
		// As the first process of the container this reaches all others and nothing else.
		_ = syscall.Kill(-1, syscall.SIGKILL)
		for {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				return
			}
		}
	}
}

func (s *stage) runEnv(account account) []string {
	env := s.env()
	has := func(name string) bool {
		for _, each := range env {
			if strings.HasPrefix(each, name+"=") {
				return true
			}
		}
		return false
	}
	for _, name := range wayOut {
		if value, said := os.LookupEnv(name); said && !has(name) {
			env = append(env, name+"="+value)
		}
	}
	if !has("PATH") {
		env = append(env, "PATH="+defaultPath)
	}
	if !has("HOME") {
		env = append(env, "HOME="+account.home)
	}
	return env
}

// find looks for a program as a shell does, by the image's own PATH.
func find(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	for _, each := range env {
		folders, is := strings.CutPrefix(each, "PATH=")
		if !is {
			continue
		}
		for _, folder := range strings.Split(folders, ":") {
			place := path.Join("/", folder, name)
			if info, err := os.Stat(place); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
				return place, nil
			}
		}
	}
	return "", fmt.Errorf("starting command: %q: executable file not found in $PATH", name)
}
