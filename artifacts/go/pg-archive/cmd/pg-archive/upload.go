package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"
)

// job is for the uploader. Without content it is only noted up to when all is there.
type job struct {
	name    string
	content []byte
	whole   bool
	replace string
	upTo    pglogrepl.LSN
	asOf    time.Time
	closed  bool
}

type result struct {
	job job
	err error
}

func (r *reader) hand(ctx context.Context, work job) error {
	select {
	case r.jobs <- work:
		r.working = true
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// await takes what the uploader says, and goes on speaking with the database meanwhile.
func (r *reader) await(ctx context.Context, wait bool) error {
	var limit <-chan time.Time
	if wait {
		limit = time.After(tick)
	} else {
		ready := make(chan time.Time)
		close(ready)
		limit = ready
	}
	select {
	case ended := <-r.done:
		return r.took(ended)
	default:
	}
	select {
	case ended := <-r.done:
		return r.took(ended)
	case <-limit:
		return r.say(false)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *reader) took(ended result) error {
	r.working = false
	if ended.err != nil {
		return fmt.Errorf("the object storage: %w", ended.err)
	}
	if ended.job.closed {
		r.state.closed()
		return errOther{why: "set " + r.set + " was closed", pause: pauseAfterClose}
	}
	if ended.job.content != nil {
		r.acked = ended.job.upTo
	}
	if ended.job.whole {
		r.kept = ended.job.upTo - segmentBytes
	}
	if ended.job.asOf.After(r.asOf) {
		r.asOf = ended.job.asOf
	}
	r.noted = time.Now()
	return nil
}

// upload does one job after another.
func (r *reader) upload(ctx context.Context) {
	for {
		var work job
		select {
		case work = <-r.jobs:
		case <-ctx.Done():
			return
		}
		err := r.work(ctx, work)
		if err == nil && work.content != nil {
			r.state.change(func(known *known) {
				known.bytes += uint64(len(work.content))
				if work.whole {
					known.segments++
				}
			})
		}
		r.done <- result{work, err}
	}
}

func (r *reader) work(ctx context.Context, work job) error {
	if work.content != nil {
		about := map[string]string{"sha256": digestOf(work.content), "length": strconv.Itoa(len(work.content))}
		if err := r.store.putSealed(ctx, r.prefix+work.name, work.content, about); err != nil {
			return err
		}
	}
	if work.replace != "" {
		if err := r.store.remove(ctx, r.prefix+work.replace+r.store.suffix()); err != nil {
			return err
		}
	}
	if work.asOf.IsZero() {
		return nil
	}
	return r.store.putJSON(ctx, setPrefix(r.set)+"end.json", end{work.asOf, work.closed, uint64(work.upTo)})
}
