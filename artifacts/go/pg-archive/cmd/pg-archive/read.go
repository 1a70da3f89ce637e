package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	tick = 500 * time.Millisecond
	// The database takes a client for dead that says nothing for ten seconds, where it has members.
	sayEvery = 2 * time.Second
	// A database that is told to end waits for its followers. It does not wait longer than this for the object storage.
	mostFarewell = 5 * time.Second
	// Who closes a set ends the database next.
	pauseAfterClose = 20 * time.Second
)

// reader reads the log of one connection, and hands it to one uploader.
type reader struct {
	*follower
	connection *pgconn.PgConn
	set        string
	prefix     string
	proofs     map[string]proof

	timeline int32
	// The segment that is being read, and what was read of it.
	number  uint64
	content []byte
	// Up to where the bucket has it; and from where the database shall keep it: the last whole segment, by which the history is known.
	acked, kept pglogrepl.LSN
	// What the bucket has of the current segment.
	partial int
	// When all that was received was all that there was.
	caughtUp time.Time
	asOf     time.Time
	noted    time.Time
	uploaded time.Time
	said     time.Time
	// The database waits for an answer since then.
	farewell time.Time
	// A flush is done when all is there as of this time of the database.
	target time.Time
	asking bool

	jobs    chan job
	done    chan result
	working bool
}

func (r *reader) position() pglogrepl.LSN {
	return pglogrepl.LSN(r.number*segmentBytes + uint64(len(r.content)))
}

func (r *reader) run(ctx context.Context, way line, first uint64) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	r.jobs, r.done = make(chan job), make(chan result, 1)
	go r.upload(ctx)
	r.timeline, r.number = way.owner(first), first
	for {
		at := pglogrepl.LSN(r.number * segmentBytes)
		r.content, r.partial, r.acked, r.kept = make([]byte, 0, segmentBytes), 0, at, at
		err := pglogrepl.StartReplication(ctx, r.connection, r.given.slot, at, pglogrepl.StartReplicationOptions{
			Timeline: r.timeline, Mode: pglogrepl.PhysicalReplication,
		})
		if err != nil {
			return err
		}
		log.Printf("following timeline %d from %s", r.timeline, at)
		next, err := r.read(ctx)
		if err != nil {
			return err
		}
		r.timeline, r.number = next.Timeline, segmentOf(next.LSN)
	}
}

// read reads until the timeline ends.
func (r *reader) read(ctx context.Context) (*pglogrepl.CopyDoneResult, error) {
	for {
		waiting, end := context.WithTimeout(ctx, tick)
		message, err := r.connection.ReceiveMessage(waiting)
		end()
		if err != nil && (ctx.Err() != nil || !pgconn.Timeout(err)) {
			return nil, err
		}
		switch message := message.(type) {
		case nil:
		case *pgproto3.CopyData:
			if err := r.take(ctx, message.Data); err != nil {
				return nil, err
			}
		case *pgproto3.CopyDone:
			return pglogrepl.SendStandbyCopyDone(ctx, r.connection)
		case *pgproto3.ErrorResponse:
			return nil, pgconn.ErrorResponseToPgError(message)
		}
		if err := r.lookAround(ctx); err != nil {
			return nil, err
		}
	}
}

func (r *reader) take(ctx context.Context, data []byte) error {
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		said, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return err
		}
		r.heard(said.ServerWALEnd, said.ServerTime)
		if r.asking && r.target.IsZero() {
			r.target = said.ServerTime
		}
		if said.ReplyRequested && r.farewell.IsZero() {
			r.farewell = time.Now()
		}
	case pglogrepl.XLogDataByteID:
		said, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return err
		}
		if said.WALStart != r.position() {
			return fmt.Errorf("the database sent its log from %s, and %s was expected", said.WALStart, r.position())
		}
		for rest := said.WALData; len(rest) > 0; {
			part := rest[:min(len(rest), segmentBytes-len(r.content))]
			r.content = append(r.content, part...)
			rest = rest[len(part):]
			if err := r.prove(); err != nil {
				return err
			}
			if len(r.content) == segmentBytes {
				if err := r.finish(ctx); err != nil {
					return err
				}
			}
		}
		r.heard(said.ServerWALEnd, said.ServerTime)
	}
	return nil
}

// heard notes when nothing was left to be sent.
func (r *reader) heard(end pglogrepl.LSN, when time.Time) {
	if end == r.position() {
		r.caughtUp = when
	}
}

// prove compares what comes again with what is there. @error errOther
func (r *reader) prove() error {
	name := segmentName(r.timeline, r.number)
	wanted, given := r.proofs[name]
	if !given || len(r.content) < wanted.length {
		return nil
	}
	delete(r.proofs, name)
	if digestOf(r.content[:wanted.length]) != wanted.digest {
		return errOther{why: "the database has another " + name + " than was archived"}
	}
	r.partial = wanted.length
	r.acked = pglogrepl.LSN(r.number*segmentBytes + uint64(wanted.length))
	return nil
}

// unproved says that what comes cannot be told yet from another history.
func (r *reader) unproved() bool {
	_, given := r.proofs[segmentName(r.timeline, r.number)]
	return given
}

// finish hands a whole segment over, and waits while the one before it is on its way.
func (r *reader) finish(ctx context.Context) error {
	content, there := r.content, r.partial == segmentBytes
	name := segmentName(r.timeline, r.number)
	work := job{name: name, content: content, whole: true, upTo: r.position(), asOf: r.caughtUp}
	if r.partial > 0 {
		work.replace = name + ".partial"
	}
	r.number++
	r.content, r.partial = make([]byte, 0, segmentBytes), 0
	if there {
		r.kept = work.upTo - segmentBytes
		return nil
	}
	for r.working {
		if err := r.await(ctx, true); err != nil {
			return err
		}
	}
	return r.hand(ctx, work)
}

// lookAround does what is due.
func (r *reader) lookAround(ctx context.Context) error {
	if err := r.await(ctx, false); err != nil {
		return err
	}
	flush, closing := r.state.asked()
	if flush && !r.asking {
		r.asking, r.target = true, time.Time{}
		if err := r.say(true); err != nil {
			return err
		}
	}
	if !flush {
		r.asking = false
	}
	complete := r.acked == r.position()
	now := time.Now()
	if r.asking && !r.target.IsZero() && complete && !r.working && !r.caughtUp.Before(r.target) && (!r.asOf.Before(r.target)) {
		r.asking = false
		r.state.change(func(known *known) { known.asOf = r.asOf })
		r.state.answered()
		if closing {
			return r.hand(ctx, job{upTo: r.acked, asOf: r.asOf, closed: true})
		}
	}
	urgent := r.asking || !r.farewell.IsZero()
	due := urgent || now.Sub(r.uploaded) >= r.given.within
	if !r.working && !complete && due && !r.unproved() {
		r.uploaded = now
		r.partial = len(r.content)
		copied := append([]byte(nil), r.content...)
		work := job{name: segmentName(r.timeline, r.number) + ".partial", content: copied, upTo: r.position(), asOf: r.caughtUp}
		if err := r.hand(ctx, work); err != nil {
			return err
		}
	} else if !r.working && complete && r.caughtUp.After(r.asOf) && (urgent || now.Sub(r.noted) >= r.given.within) {
		if err := r.hand(ctx, job{upTo: r.acked, asOf: r.caughtUp}); err != nil {
			return err
		}
	}
	if !r.farewell.IsZero() && !r.working {
		if complete {
			r.kept, r.farewell = r.acked, time.Time{}
			return r.say(true)
		}
		if now.Sub(r.farewell) > mostFarewell {
			return fmt.Errorf("the database waited for the object storage: leaving it, so that it can end")
		}
	}
	r.state.change(func(known *known) { known.received, known.acked, known.asOf = r.position(), r.acked, r.asOf })
	if now.Sub(r.said) >= sayEvery {
		return r.say(true)
	}
	return nil
}

// say tells the database up to where its log is needed no more.
func (r *reader) say(anyhow bool) error {
	if !anyhow && time.Since(r.said) < sayEvery {
		return nil
	}
	r.said = time.Now()
	return pglogrepl.SendStandbyStatusUpdate(context.Background(), r.connection, pglogrepl.StandbyStatusUpdate{
		WALWritePosition: r.position(),
		WALFlushPosition: r.kept,
		WALApplyPosition: r.kept,
		ReplyRequested:   true,
	})
}
