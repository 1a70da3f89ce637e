package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"time"
)

const (
	// An answer of the control API holds for so long: who is removed, or leaves a project, loses it no later.
	rightsHold = 10 * time.Second
	// Answers that are kept at once.
	maxRights      = 4096
	rightsTime     = 10 * time.Second
	maxRightsBytes = 64 << 10
	maxToken       = 12_000
)

var (
	userName = regexp.MustCompile(`^[a-z][a-z0-9-]{2,62}$`)
	// A bearer token (RFC 6750).
	bearer = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)

	errUnknown     = errors.New("this is no valid token of this user; get one by: apolo config show-token")
	errUnavailable = errors.New("the control API does not answer, so that nothing can be allowed: try again in a moment")
)

// given is what a caller may do in a project.
type given struct{ read, write bool }

// rights asks the control API who may do what, by the caller's own token.
type rights struct {
	api, cluster string
	client       *http.Client
	now          func() time.Time
	lock         sync.Mutex
	known        map[rightsKey]rightsAnswer
}

type rightsKey struct {
	// The token itself is not kept.
	login   [sha256.Size]byte
	project string
}

type rightsAnswer struct {
	until time.Time
	may   given
	err   error
}

func newRights(api, cluster string) *rights {
	// No proxy of the environment: the control API is inside the cluster.
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		MaxConnsPerHost:     16,
		MaxIdleConnsPerHost: 4,
		IdleConnTimeout:     30 * time.Second,
	}
	client := &http.Client{Transport: transport, Timeout: rightsTime}
	return &rights{api: api, cluster: cluster, client: client, now: time.Now, known: map[rightsKey]rightsAnswer{}}
}

// of is what somebody may do in a project, as ORGANIZATION/PROJECT.
func (r *rights) of(ctx context.Context, user, password, project string) (given, error) {
	if !userName.MatchString(user) || len(password) > maxToken || !bearer.MatchString(password) {
		return given{}, errUnknown
	}
	key := rightsKey{sha256.Sum256([]byte(user + "\x00" + password)), project}
	r.lock.Lock()
	kept, found := r.known[key]
	r.lock.Unlock()
	if found && r.now().Before(kept.until) {
		return kept.may, kept.err
	}
	may, err := r.ask(ctx, user, password, project)
	if err != nil && !errors.Is(err, errUnknown) {
		return may, err
	}
	r.lock.Lock()
	defer r.lock.Unlock()
	if len(r.known) >= maxRights {
		// Whoever is asked for again is asked of the control API again.
		clear(r.known)
	}
	r.known[key] = rightsAnswer{r.now().Add(rightsHold), may, err}
	return may, err
}

func (r *rights) ask(ctx context.Context, user, password, project string) (given, error) {
	uri := fmt.Sprintf("charts://%s/%s", r.cluster, project)
	body, err := json.Marshal([]map[string]string{{"uri": uri, "action": "read"}, {"uri": uri, "action": "write"}})
	if err != nil {
		return given{}, err
	}
	to := fmt.Sprintf("%s/api/v1/users/%s/permissions/check", r.api, url.PathEscape(user))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return given{}, err
	}
	request.Header.Set("Authorization", "Bearer "+password)
	request.Header.Set("Content-Type", "application/json")
	answer, err := r.client.Do(request)
	if err != nil {
		return given{}, fmt.Errorf("%w (%w)", errUnavailable, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxRightsBytes))
	if err != nil {
		return given{}, fmt.Errorf("%w (%w)", errUnavailable, err)
	}
	switch answer.StatusCode {
	case http.StatusOK:
		return given{read: true, write: true}, nil
	case http.StatusUnauthorized:
		return given{}, errUnknown
	case http.StatusForbidden:
		var refused struct {
			Missing []struct {
				Action string `json:"action"`
			} `json:"missing"`
		}
		// Somebody else's token: what is missing is not said.
		if json.Unmarshal(text, &refused) != nil || len(refused.Missing) == 0 {
			return given{}, errUnknown
		}
		may := given{read: true, write: true}
		for _, missing := range refused.Missing {
			switch missing.Action {
			case "read":
				may.read = false
			case "write":
				may.write = false
			}
		}
		return may, nil
	default:
		return given{}, fmt.Errorf("%w (status %d)", errUnavailable, answer.StatusCode)
	}
}
