package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	askTime        = 10 * time.Second
	maxAnswerBytes = 16 * 1024
	// A job's Pod is known for so long while changes are told, and for so short where they are not.
	toldLasts   = time.Minute
	untoldLasts = time.Second
	// A right that is taken away is gone after this time.
	rightLasts = 10 * time.Second
	// The control API may be away for so long: what was known counts on.
	staleLasts = time.Minute
	// The stream of changes says something at least this often.
	silence   = 15 * time.Second
	followGap = time.Second
	mostKnown = 4096
)

// route is where a host name leads.
type route struct {
	// Empty: to no job.
	Job string `json:"job"`
	// none, waiting, running or ended.
	State string `json:"state"`
	// Whether people must show who they are.
	Login bool `json:"login"`
	// Of its Pod; empty while there is none.
	Address string `json:"address"`
	Port    int    `json:"port"`
	// What there is to say about it, for whoever may see it.
	Words string `json:"words"`
}

// right is what somebody may see.
type right int

const (
	allowed right = iota
	// Nobody knows the token.
	unknown
	// The token's user may not see the job, or there is none.
	forbidden
)

var errTooOften = errors.New("too many requests")

// platform is the control API, as the router asks it.
type platform struct {
	at     *url.URL
	client *http.Client
	routes *cache[route]
	rights *cache[right]
	told   atomic.Bool
	// Counts changes: an answer that was asked for before one is good for a moment alone.
	changes atomic.Int64
	seen    *metrics
}

func newPlatform(at *url.URL, seen *metrics) *platform {
	return &platform{
		at: at,
		client: &http.Client{
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute},
		},
		routes: newCache[route](mostKnown),
		rights: newCache[right](mostKnown),
		seen:   seen,
	}
}

// of tells where a label leads. @param visitor on whose behalf it is asked: limits count by address
func (p *platform) of(ctx context.Context, label, visitor string) (route, error) {
	return p.routes.get(label, staleLasts, func() (route, time.Duration, error) {
		before := p.changes.Load()
		var found route
		status, err := p.ask(ctx, "route", "/"+label, visitor, "", &found)
		switch {
		case err != nil:
			return found, 0, err
		case status == http.StatusTooManyRequests:
			return found, 0, errTooOften
		case status == http.StatusBadRequest:
			return route{State: "none"}, 0, nil
		case status != http.StatusOK:
			return found, 0, fmt.Errorf("the control API answers %d", status)
		}
		// Another job may have the name in a moment, and nobody tells.
		if found.State != "running" || !p.told.Load() || p.changes.Load() != before {
			return found, untoldLasts, nil
		}
		return found, toldLasts, nil
	})
}

// may tells whether the bearer of a token may see a job.
func (p *platform) may(ctx context.Context, token, job, visitor string) (right, error) {
	return p.rights.get(digest(token)+" "+job, staleLasts, func() (right, time.Duration, error) {
		status, err := p.ask(ctx, "right", "/"+job+"/right", visitor, "Bearer "+token, nil)
		switch {
		case err != nil:
			return unknown, 0, err
		case status == http.StatusOK:
			return allowed, rightLasts, nil
		case status == http.StatusUnauthorized:
			return unknown, rightLasts, nil
		// 400 is what the official client takes for an unknown job.
		case status == http.StatusNotFound || status == http.StatusForbidden || status == http.StatusBadRequest:
			return forbidden, rightLasts, nil
		case status == http.StatusTooManyRequests:
			return unknown, 0, errTooOften
		}
		return unknown, 0, fmt.Errorf("the control API answers %d", status)
	})
}

func (p *platform) ask(ctx context.Context, what, path, visitor, authorization string, into any) (int, error) {
	// Others may wait for the same answer: it does not end with who asked first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at.String()+path, nil)
	if err != nil {
		return 0, err
	}
	if visitor != "" {
		request.Header.Set("X-Forwarded-For", visitor)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer, err := p.client.Do(request)
	if err != nil {
		p.seen.questions.WithLabelValues(what, "failed").Inc()
		return 0, err
	}
	defer answer.Body.Close()
	outcome := "answered"
	if answer.StatusCode >= 500 {
		outcome = "failed"
	}
	p.seen.questions.WithLabelValues(what, outcome).Inc()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswerBytes))
	if err != nil || into == nil || answer.StatusCode != http.StatusOK {
		return answer.StatusCode, err
	}
	return answer.StatusCode, json.Unmarshal(body, into)
}

// follow hears of changes for as long as the service lives.
func (p *platform) follow(ctx context.Context) {
	for ctx.Err() == nil {
		err := p.hear(ctx)
		p.untold()
		if ctx.Err() != nil {
			return
		}
		log.Printf("changes of jobs are not told: %v", err)
		select {
		case <-ctx.Done():
		case <-time.After(followGap):
		}
	}
}

func (p *platform) untold() {
	p.told.Store(false)
	p.seen.told.Set(0)
	p.routes.doubt(untoldLasts)
}

func (p *platform) hear(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.at.String()+"/changes", nil)
	if err != nil {
		return err
	}
	quiet := time.AfterFunc(silence, cancel)
	defer quiet.Stop()
	answer, err := p.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the control API answers %d", answer.StatusCode)
	}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		quiet.Reset(silence)
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		var change struct {
			Job string `json:"job"`
			All bool   `json:"all"`
		}
		if err := json.Unmarshal(line, &change); err != nil {
			return err
		}
		p.changes.Add(1)
		if change.All {
			// What was told before is not known.
			p.routes.doubt(0)
			p.told.Store(true)
			p.seen.told.Set(1)
			continue
		}
		p.routes.drop(func(one route) bool { return one.Job == change.Job })
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.ErrUnexpectedEOF
}
