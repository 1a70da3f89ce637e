package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// settings is what the router is told by its environment.
type settings struct {
	// http2Port: of connections of HTTP/2 that the gateway hands over.
	port, http2Port, internalPort int
	// Where users reach the platform, without a slash at its end.
	publicURL *url.URL
	// Names of jobs are one label below it.
	jobsDomain string
	// The control API.
	apiURL *url.URL
	// The realm as browsers see it, which is also the claim `iss` of its tokens.
	issuer string
	// The realm as it is reached from here.
	realmURL *url.URL
	// The realm's client.
	client string
	// Where the login begins and ends, at the platform's origin. Without a slash at its end.
	loginPath string
	// Seals cookies and tickets.
	seal *sealer
}

func readSettings() (settings, error) {
	var given settings
	var err error
	if given.port, err = port("DELOS_PORT"); err != nil {
		return given, err
	}
	if given.http2Port, err = port("DELOS_HTTP2_PORT"); err != nil {
		return given, err
	}
	if given.internalPort, err = port("DELOS_INTERNAL_PORT"); err != nil {
		return given, err
	}
	for name, into := range map[string]**url.URL{
		"DELOS_PUBLIC_URL": &given.publicURL,
		"DELOS_API_URL":    &given.apiURL,
		"DELOS_REALM_URL":  &given.realmURL,
	} {
		if *into, err = address(name); err != nil {
			return given, err
		}
	}
	for name, into := range map[string]*string{
		"DELOS_JOBS_DOMAIN": &given.jobsDomain,
		"DELOS_OIDC_ISSUER": &given.issuer,
		"DELOS_OIDC_CLIENT": &given.client,
		"DELOS_LOGIN_PATH":  &given.loginPath,
	} {
		if *into = os.Getenv(name); *into == "" {
			return given, fmt.Errorf("%s is empty: expected a value", name)
		}
	}
	given.jobsDomain = strings.ToLower(given.jobsDomain)
	if !strings.HasPrefix(given.loginPath, "/") || strings.HasSuffix(given.loginPath, "/") {
		return given, fmt.Errorf("DELOS_LOGIN_PATH is %q: expected a path without a slash at its end", given.loginPath)
	}
	if given.seal, err = newSealer(os.Getenv("DELOS_SEAL_KEY_FILE")); err != nil {
		return given, fmt.Errorf("DELOS_SEAL_KEY_FILE: %w", err)
	}
	return given, nil
}

// secure tells whether browsers reach the platform by TLS.
func (s settings) secure() bool { return s.publicURL.Scheme == "https" }

// origin is that of a job's host, as browsers see it.
func (s settings) origin(host string) string {
	if port := s.publicURL.Port(); port != "" {
		host += ":" + port
	}
	return s.publicURL.Scheme + "://" + host
}

func address(name string) (*url.URL, error) {
	given, err := url.Parse(strings.TrimRight(os.Getenv(name), "/"))
	if err != nil || (given.Scheme != "http" && given.Scheme != "https") || given.Host == "" {
		return nil, fmt.Errorf("%s is %q: expected an http address", name, os.Getenv(name))
	}
	return given, nil
}

func port(name string) (int, error) {
	number, err := strconv.Atoi(os.Getenv(name))
	if err != nil || number < 1 || number > 65535 {
		return 0, fmt.Errorf("%s is %q: expected a port from 1 to 65535", name, os.Getenv(name))
	}
	return number, nil
}
