package main

import (
	"sync"
	"time"

	"github.com/jackc/pglogrepl"
)

// state is what the parts of the program know of each other.
type state struct {
	lock sync.Mutex
	now  known
	// Raised while somebody waits for what is committed by now.
	flush, closing bool
	wake           chan struct{}
}

// known is a picture of it.
type known struct {
	// The set that is written to; empty while there is no connection.
	set      string
	timeline int32
	// Up to where the log was received, and up to where it is in the bucket.
	received, acked pglogrepl.LSN
	// All that was committed by then is in the bucket.
	asOf time.Time
	// When the last whole base backup ended; zero for none in this set.
	base time.Time
	// What was counted since the start.
	failures, baseFailures, newSets, segments uint64
	bytes                                     uint64
	// The earliest time that can be gone back to, over all sets.
	earliest time.Time
}

func newState() *state { return &state{wake: make(chan struct{}, 1)} }

func (s *state) get() known {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.now
}

func (s *state) change(how func(*known)) {
	s.lock.Lock()
	defer s.lock.Unlock()
	how(&s.now)
}

// ask lets the follower bring what it has into the bucket at once.
func (s *state) ask(closing bool) {
	s.lock.Lock()
	s.flush = true
	s.closing = s.closing || closing
	s.lock.Unlock()
}

func (s *state) asked() (flush, closing bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.flush, s.closing
}

func (s *state) answered() {
	s.lock.Lock()
	s.flush = false
	s.lock.Unlock()
}

func (s *state) closed() {
	s.lock.Lock()
	s.closing = false
	s.now.set = ""
	s.lock.Unlock()
}

// nudge lets the keeper of base backups look.
func (s *state) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
