package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/distribution/distribution/v3/registry/auth"
)

// The name by which distribution's settings ask for tokens whose keys are read anew.
const liveTokenName = "delos-token"

// rereadAfter is how long keys are gone by as they were read last. A rotation waits longer for it.
const rereadAfter = 500 * time.Millisecond

// liveToken is distribution's own check of tokens, with the keys of its file as they are now: distribution reads them once.
type liveToken struct {
	options map[string]any
	file    string
	lock    sync.Mutex
	looked  time.Time
	text    []byte
	inner   auth.AccessController
}

func registerLiveToken() error {
	return auth.Register(liveTokenName, func(options map[string]any) (auth.AccessController, error) {
		file, ok := options["jwks"].(string)
		if !ok {
			return nil, errors.New(liveTokenName + ": expected jwks, the file of the keys that check tokens")
		}
		live := &liveToken{options: options, file: file}
		_, err := live.now()
		return live, err
	})
}

func (l *liveToken) Authorized(request *http.Request, access ...auth.Access) (*auth.Grant, error) {
	inner, err := l.now()
	if err != nil {
		return nil, err
	}
	return inner.Authorized(request, access...)
}

// now gives the check by the keys of now. By those that were read last where the file cannot be read, or has none.
func (l *liveToken) now() (auth.AccessController, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	at := time.Now()
	if l.inner != nil && at.Sub(l.looked) < rereadAfter {
		return l.inner, nil
	}
	l.looked = at
	text, err := os.ReadFile(l.file)
	if err == nil && l.inner != nil && bytes.Equal(text, l.text) {
		return l.inner, nil
	}
	if err == nil {
		var made auth.AccessController
		if made, err = auth.GetAccessController("token", l.options); err == nil {
			l.inner, l.text = made, text
		}
	}
	if l.inner != nil {
		return l.inner, nil
	}
	return nil, err
}
