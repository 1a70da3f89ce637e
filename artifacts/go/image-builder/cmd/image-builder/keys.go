package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

const (
	// What the platform gives this build: a credential for its own registry, which ends with the build.
	platformKeys = "/kaniko/.delos/config.json"
	// Where clients mount theirs; the second where there are more in the environment.
	clientKeys = "/kaniko/.docker/config.json"
	baseKeys   = "/kaniko/.docker/config_base.json"
	keysPrefix = "NE_REGISTRY_AUTH"
	// No configuration of a client is larger.
	maxKeysBytes = 1 << 20
)

// keys are credentials by registry, or by the beginning of a repository's name. The first that was found stands.
type keys map[string]authn.AuthConfig

type dockerConfig struct {
	Auths map[string]authn.AuthConfig `json:"auths"`
}

// readKeys reads Docker configurations: the platform's, the client's, and those that variables hold or name.
func readKeys() (keys, error) {
	found := keys{}
	for _, file := range []string{platformKeys, clientKeys, baseKeys} {
		text, err := readSmall(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := found.add(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	variables := os.Environ()
	sort.Strings(variables)
	for _, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, keysPrefix) {
			continue
		}
		text := []byte(value)
		if strings.HasPrefix(value, "/") {
			read, err := readSmall(value)
			if err != nil {
				log.warn("Could not read config from %q", name)
				continue
			}
			text = read
		}
		// Its value is never shown.
		if err := found.add(text); err != nil {
			log.warn("Could not read config from %q", name)
		}
	}
	return found, nil
}

func (k keys) add(text []byte) error {
	var config dockerConfig
	if err := json.Unmarshal(text, &config); err != nil {
		return errors.New("expected a Docker configuration: a JSON object with `auths`")
	}
	for name, auth := range config.Auths {
		place := placeOf(name)
		if _, there := k[place]; there {
			continue
		}
		if auth.Auth != "" {
			decoded, err := base64.StdEncoding.DecodeString(auth.Auth)
			if err != nil {
				return fmt.Errorf("`auth` of %q is not base64", name)
			}
			user, password, both := strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
			if !both {
				return fmt.Errorf("`auth` of %q has no colon", name)
			}
			auth.Username, auth.Password, auth.Auth = user, password, ""
		}
		k[place] = auth
	}
	return nil
}

// Resolve makes it a keychain: the longest name that the repository begins with.
func (k keys) Resolve(resource authn.Resource) (authn.Authenticator, error) {
	for name := resource.String(); ; {
		if auth, there := k[name]; there {
			return authn.FromConfig(auth), nil
		}
		slash := strings.LastIndexByte(name, '/')
		if slash < 0 {
			return authn.Anonymous, nil
		}
		name = name[:slash]
	}
}

// placeOf takes away what Docker's own keys have around the host.
func placeOf(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
	name = strings.TrimRight(name, "/")
	name = strings.TrimSuffix(strings.TrimSuffix(name, "/v1"), "/v2")
	if name == "docker.io" || name == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return name
}

func readSmall(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeysBytes {
		return nil, fmt.Errorf("%s: expected a file of at most %d bytes", file, maxKeysBytes)
	}
	return os.ReadFile(file)
}
