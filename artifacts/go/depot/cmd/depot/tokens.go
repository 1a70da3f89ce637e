package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	tokenTime = 5 * time.Minute
	// A client asks for a handful: the image that it pushes, and those that it mounts blobs of.
	maxScopes = 32
)

// issuer gives tokens to the registry's clients. Whoever asks may pull; who shows a login may do all.
// See https://distribution.github.io/distribution/spec/auth/token/
type issuer struct {
	key           *ecdsa.PrivateKey
	id            string
	name, service string
	users         users
	now           func() time.Time
}

type access struct {
	Type    string   `json:"type"`
	Name    string   `json:"name"`
	Actions []string `json:"actions"`
}

func newIssuer(file, name, service string, all users) (*issuer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("DEPOT_KEY: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: expected a private key in PEM", file)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%s: expected a key of ECDSA P-256", file)
	}
	if name == "" || service == "" {
		return nil, errors.New("DEPOT_ISSUER and DEPOT_SERVICE are expected")
	}
	id, err := thumbprint(key)
	return &issuer{key: key, id: id, name: name, service: service, users: all, now: time.Now}, err
}

// thumbprint is that of RFC 7638.
func thumbprint(key *ecdsa.PrivateKey) (string, error) {
	public, err := key.PublicKey.Bytes()
	if err != nil {
		return "", err
	}
	// The uncompressed point: a byte, then both coordinates.
	x, y := base64.RawURLEncoding.EncodeToString(public[1:33]), base64.RawURLEncoding.EncodeToString(public[33:])
	digest := sha256.Sum256(fmt.Appendf(nil, `{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, x, y))
	return base64.RawURLEncoding.EncodeToString(digest[:]), nil
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	if request.Method != http.MethodGet {
		// Clients that try a POST first then ask again by GET.
		answer(w, http.StatusMethodNotAllowed, map[string]any{"error": "expected GET"})
		return
	}
	writes := i.users.knows(request)
	if !writes && request.Header.Get("Authorization") != "" {
		refuse(w, "wrong user or password")
		return
	}
	query := request.URL.Query()
	if service := query.Get("service"); service != i.service {
		answer(w, http.StatusBadRequest, map[string]any{"error": fmt.Sprintf("service is %q: expected %s", service, i.service)})
		return
	}
	granted, err := scopes(query["scope"], writes)
	if err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"error": err.Error()})
		return
	}
	user, _, _ := request.BasicAuth()
	token, err := i.token(user, granted)
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": "no token could be made"})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"token": token, "access_token": token, "expires_in": int(tokenTime.Seconds()), "issued_at": i.now().UTC().Format(time.RFC3339),
	})
}

// scopes is what is granted of what is asked for. One parameter may hold several scopes.
func scopes(asked []string, writes bool) ([]access, error) {
	granted := []access{}
	all := strings.Fields(strings.Join(asked, " "))
	if len(all) > maxScopes {
		return nil, fmt.Errorf("%d scopes are asked for: at most %d are granted", len(all), maxScopes)
	}
	for _, one := range all {
		// A name may have a colon, as that of a host with a port.
		first, last := strings.Index(one, ":"), strings.LastIndex(one, ":")
		if first < 1 || first == last {
			return nil, fmt.Errorf("the scope %q is no TYPE:NAME:ACTIONS", one)
		}
		actions := strings.Split(one[last+1:], ",")
		if !writes {
			actions = slices.DeleteFunc(actions, func(action string) bool { return action != "pull" })
		}
		kind := one[:first]
		if !writes && kind != "repository" {
			continue
		}
		granted = append(granted, access{Type: kind, Name: one[first+1 : last], Actions: actions})
	}
	return granted, nil
}

// token is a JSON Web Token signed by ES256 (RFC 7515, RFC 7518).
func (i *issuer) token(user string, granted []access) (string, error) {
	header, err := json.Marshal(map[string]string{"typ": "JWT", "alg": "ES256", "kid": i.id})
	if err != nil {
		return "", err
	}
	now := i.now()
	claims, err := json.Marshal(map[string]any{
		"iss": i.name, "aud": i.service, "sub": user, "access": granted, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(tokenTime).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(claims)
	digest := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, i.key, digest[:])
	if err != nil {
		return "", err
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
