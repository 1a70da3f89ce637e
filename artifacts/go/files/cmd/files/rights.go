package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// An answer of the control API holds for so long: whoever is removed, or leaves a project, loses it no later.
	rightsHold = 5 * time.Second
	// Answers that are kept at once.
	maxRights = 4096
	// The control API is asked again for so long where it does not answer, as it does not while it restarts. Clients give up at 60 s.
	rightsTime     = 20 * time.Second
	maxRightsBytes = 8 << 20
)

// access is what a caller may do in a project.
type access struct {
	Org     string `json:"org"`
	Project string `json:"project"`
	// `read` or `write`.
	Right string `json:"right"`
	// Most bytes of the project's files; nil: no limit.
	Limit *int64 `json:"limit"`
	// Most bytes of all files of the organization; nil: no limit.
	OrgLimit *int64 `json:"orgLimit"`
}

// allowed is the control API's answer: who the caller is, and the projects of those asked for that the caller may see.
type allowed struct {
	User     string   `json:"user"`
	Projects []access `json:"projects"`
}

// refusal is an answer of the control API that is the client's too.
type refusal struct {
	status int
	body   []byte
	after  string
}

func (r *refusal) Error() string { return fmt.Sprintf("the control API answered %d", r.status) }

var errNoRights = errors.New("the control API does not answer, so that nothing can be allowed; try again in a moment")

// rights asks the control API who may do what, by the caller's own token.
type rights struct {
	api    string
	client *http.Client
	lock   sync.Mutex
	known  map[rightsKey]*rightsAnswer
}

type rightsKey struct {
	// The token itself is not kept.
	token        [sha256.Size]byte
	org, project string
}

type rightsAnswer struct {
	done  chan struct{}
	until time.Time
	given allowed
	err   error
}

func newRights(api string) *rights {
	transport := &http.Transport{
		// No proxy of the environment: the control API is inside the cluster.
		DialContext:           (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
		MaxConnsPerHost:       32,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: 5 * time.Second,
	}
	return &rights{api: api, client: &http.Client{Transport: transport}, known: map[rightsKey]*rightsAnswer{}}
}

// of says what the caller may do. An empty org or project asks for all of them. Requests that ask the same wait for one answer.
func (r *rights) of(request *http.Request, org, project string) (allowed, error) {
	authorization := request.Header.Get("Authorization")
	key := rightsKey{sha256.Sum256([]byte(authorization)), org, project}
	r.lock.Lock()
	answer := r.known[key]
	if answer != nil && (answer.until.IsZero() || time.Now().Before(answer.until)) {
		r.lock.Unlock()
		select {
		case <-answer.done:
			return answer.given, answer.err
		case <-request.Context().Done():
			return allowed{}, request.Context().Err()
		}
	}
	if len(r.known) >= maxRights {
		r.forget()
	}
	answer = &rightsAnswer{done: make(chan struct{})}
	r.known[key] = answer
	r.lock.Unlock()

	// Others wait for it: it does not end with this request.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(request.Context()), rightsTime)
	defer cancel()
	asked := time.Now()
	given, err := r.ask(ctx, authorization, request.Header.Get("X-Forwarded-For"), org, project)
	r.lock.Lock()
	answer.given, answer.err, answer.until = given, err, asked.Add(rightsHold)
	if err != nil && r.known[key] == answer {
		delete(r.known, key)
	}
	r.lock.Unlock()
	close(answer.done)
	return given, err
}

// forget makes room: what has ended goes, and if that is nothing, all that has been answered.
func (r *rights) forget() {
	now := time.Now()
	for key, answer := range r.known {
		if !answer.until.IsZero() && now.After(answer.until) {
			delete(r.known, key)
		}
	}
	if len(r.known) < maxRights {
		return
	}
	for key, answer := range r.known {
		if !answer.until.IsZero() {
			delete(r.known, key)
		}
	}
}

func (r *rights) ask(ctx context.Context, authorization, from, org, project string) (allowed, error) {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		given, again, err := r.askOnce(ctx, authorization, from, org, project)
		if !again {
			return given, err
		}
		select {
		case <-ctx.Done():
			return allowed{}, errNoRights
		case <-time.After(pause):
		}
	}
}

// askOnce says too whether it is worth to ask again.
func (r *rights) askOnce(ctx context.Context, authorization, from, org, project string) (allowed, bool, error) {
	query := url.Values{}
	for name, value := range map[string]string{"org": org, "project": project} {
		if value != "" {
			query.Set(name, value)
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.api+prefix+"/rights?"+query.Encode(), nil)
	if err != nil {
		return allowed{}, false, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	// It counts how often an address asks.
	if from != "" {
		request.Header.Set("X-Forwarded-For", from)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return allowed{}, true, errNoRights
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRightsBytes))
	if err != nil || response.StatusCode >= 500 {
		return allowed{}, true, errNoRights
	}
	if response.StatusCode != http.StatusOK {
		return allowed{}, false, &refusal{response.StatusCode, body, response.Header.Get("Retry-After")}
	}
	var given allowed
	if err := json.Unmarshal(body, &given); err != nil {
		return allowed{}, true, errNoRights
	}
	return given, false, nil
}
