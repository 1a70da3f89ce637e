package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// answer counts what goes to a client and comes from it.
type answer struct {
	http.ResponseWriter
	status      int
	taken, sent int64
}

func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(bytes []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	count, err := a.ResponseWriter.Write(bytes)
	a.sent += int64(count)
	return count, err
}

// ReadFrom lets the kernel send a file by itself.
func (a *answer) ReadFrom(source io.Reader) (int64, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	count, err := io.Copy(a.ResponseWriter, source)
	a.sent += count
	return count, err
}

func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

const bufferBytes = 64 * 1024

var buffers = sync.Pool{New: func() any {
	made := make([]byte, bufferBytes)
	return &made
}}

// take hands a request's body on, piece by piece. Each piece has its own time.
func (t *task) take(give func([]byte) error) (int64, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	var all int64
	for {
		count, err := t.fill(*buffer)
		if count > 0 {
			t.writer.taken += int64(count)
			if err := give((*buffer)[:count]); err != nil {
				return all, err
			}
			all += int64(count)
		}
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return all, &failure{http.StatusBadRequest, "", "the request broke off"}
		}
	}
}

// fill reads until the buffer is full or the body is at its end. A body that breaks off gives another error than io.EOF.
func (t *task) fill(buffer []byte) (int, error) {
	for filled := 0; ; {
		_ = t.control.SetReadDeadline(time.Now().Add(stallTime))
		count, err := t.Body.Read(buffer[filled:])
		filled += count
		if err != nil || filled == len(buffer) {
			return filled, err
		}
	}
}

// places bounds what is under way, of each user and of all.
type places struct {
	all  chan struct{}
	lock sync.Mutex
	of   map[string]*userPlaces
}

type userPlaces struct {
	taken   chan struct{}
	holders int
}

func newPlaces() places {
	return places{all: make(chan struct{}, maxRequests), of: map[string]*userPlaces{}}
}

// enter waits for a place; what it gives leaves it.
func (p *places) enter(ctx context.Context, user string) (func(), bool) {
	ctx, cancel := context.WithTimeout(ctx, placeTime)
	defer cancel()
	p.lock.Lock()
	own := p.of[user]
	if own == nil {
		own = &userPlaces{taken: make(chan struct{}, maxOfUser)}
		p.of[user] = own
	}
	own.holders++
	p.lock.Unlock()
	left := func() {
		p.lock.Lock()
		if own.holders--; own.holders == 0 {
			delete(p.of, user)
		}
		p.lock.Unlock()
	}
	select {
	case own.taken <- struct{}{}:
	case <-ctx.Done():
		left()
		return nil, false
	}
	select {
	case p.all <- struct{}{}:
	case <-ctx.Done():
		<-own.taken
		left()
		return nil, false
	}
	return func() {
		<-p.all
		<-own.taken
		left()
	}, true
}
