package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// maxScopeBytes is for the answer of the control API: a thousand names of projects.
	maxScopeBytes = 256 * 1024
	scopeTime     = 10 * time.Second
)

// scope is whose series a caller may see.
type scope struct {
	// All of them: the platform's administrator.
	Everything bool `json:"everything"`
	// Values of the label.
	Projects []string `json:"projects"`
}

// refusal is an answer of the control API that is the caller's.
type refusal struct {
	status int
	kind   string
	after  string
	body   []byte
}

func (r *refusal) Error() string { return fmt.Sprintf("refused with %d", r.status) }

type scopes struct {
	at     *url.URL
	client *http.Client
}

func newScopes(at *url.URL) *scopes {
	return &scopes{at, &http.Client{
		Timeout: scopeTime,
		// The one address is given.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: idleTime},
	}}
}

// of asks the control API whose series the bearer of this header may see. Each request asks: a right that is taken away is gone
// with the next one.
func (s *scopes) of(ctx context.Context, authorization string) (scope, error) {
	var found scope
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.at.String(), nil)
	if err != nil {
		return found, err
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return found, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxScopeBytes+1))
	if err != nil {
		return found, err
	}
	if len(body) > maxScopeBytes {
		return found, fmt.Errorf("the control API tells more than %d bytes of projects", maxScopeBytes)
	}
	if answer.StatusCode >= 400 && answer.StatusCode < 500 {
		return found, &refusal{answer.StatusCode, answer.Header.Get("Content-Type"), answer.Header.Get("Retry-After"), body}
	}
	if answer.StatusCode != http.StatusOK {
		return found, fmt.Errorf("the control API answers %d", answer.StatusCode)
	}
	return found, json.Unmarshal(body, &found)
}
