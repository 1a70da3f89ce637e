package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

const (
	lookEvery  = 5 * time.Second
	retryBase  = time.Minute
	mostToWait = 10 * time.Minute
)

// keeper takes base backups, and removes what is older than one wants to go back.
type keeper struct {
	given settings
	store *store
	state *state
}

func (k *keeper) run(ctx context.Context) {
	var failed time.Time
	var swept time.Time
	for {
		now := k.state.get()
		due := now.set != "" && (now.base.IsZero() || time.Since(now.base) >= k.given.every)
		if due && time.Since(failed) >= min(retryBase, k.given.every) {
			if err := k.take(ctx, now.set); err != nil && ctx.Err() == nil {
				failed = time.Now()
				k.state.change(func(now *known) { now.baseFailures++ })
				log.Printf("the base backup failed: %v", err)
			} else {
				swept = time.Time{}
			}
		}
		if now.set != "" && time.Since(swept) >= min(time.Hour, k.given.every) {
			swept = time.Now()
			if err := k.sweep(ctx); err != nil && ctx.Err() == nil {
				log.Printf("what is too old was not removed: %v", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-k.state.wake:
		case <-time.After(min(lookEvery, k.given.every)):
		}
	}
}

// take takes a base backup, which counts when all of the log that a start from it needs is in the bucket too.
func (k *keeper) take(ctx context.Context, id string) error {
	connection, err := connected(ctx, k.given, "delos-archive-base")
	if err != nil {
		return err
	}
	defer leave(connection)
	one := base{id: time.Now().UTC().Format(timeForm)}
	key := setPrefix(id) + "bases/" + one.id
	log.Printf("base backup %s begins", one.id)
	err = k.store.putStream(ctx, key+".tar", func(into io.Writer) error {
		return readBase(ctx, connection, into, &one)
	})
	if err != nil {
		return err
	}
	k.state.ask(false)
	for began := time.Now(); ; {
		now := k.state.get()
		if now.set != id {
			return errors.New("the log was interrupted meanwhile")
		}
		if uint64(now.acked) > one.Last && !now.asOf.IsZero() {
			one.EndedAt = now.asOf
			break
		}
		if time.Since(began) > mostToWait {
			return errors.New("its log did not come")
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(tick):
		}
		k.state.ask(false)
	}
	// The whole log of its time is there: so it is at its end, and not before, that it can be gone back to.
	if ended, err := k.store.endOf(ctx, id); err != nil {
		return err
	} else if ended.AsOf.After(one.EndedAt) {
		one.EndedAt = ended.AsOf
	}
	if err := k.store.putJSON(ctx, key+".json", one); err != nil {
		return err
	}
	k.state.change(func(now *known) {
		if now.set == id {
			now.base = one.EndedAt
		}
	})
	log.Printf("base backup %s is whole: %d MiB", one.id, one.Bytes>>20)
	return nil
}

// readBase asks for a base backup of all, and writes its one tar.
// @see https://www.postgresql.org/docs/17/protocol-replication.html BASE_BACKUP
func readBase(ctx context.Context, connection *pgconn.PgConn, into io.Writer, one *base) error {
	front := connection.Frontend()
	front.SendQuery(&pgproto3.Query{String: "BASE_BACKUP (LABEL 'delos', CHECKPOINT 'fast', WAIT false, MANIFEST 'no')"})
	if err := front.Flush(); err != nil {
		return err
	}
	places, archives := 0, 0
	for {
		message, err := connection.ReceiveMessage(ctx)
		if err != nil {
			return err
		}
		switch message := message.(type) {
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(message)
		case *pgproto3.DataRow:
			// The first row says where it begins, the last where it ends; those between are tablespaces, of which there is none but the first.
			if len(message.Values) != 2 {
				continue
			}
			at, err := pglogrepl.ParseLSN(string(message.Values[0]))
			if err != nil {
				return err
			}
			places++
			if places == 1 {
				one.First = segmentOf(at)
				_, err = fmt.Sscan(string(message.Values[1]), &one.Timeline)
			} else {
				one.Last = uint64(at) - 1
			}
			if err != nil {
				return err
			}
		case *pgproto3.CopyData:
			switch message.Data[0] {
			case 'n':
				if archives++; archives > 1 {
					return errors.New("the database has tablespaces outside its folder, which cannot be archived")
				}
			case 'd':
				one.Bytes += int64(len(message.Data) - 1)
				if _, err := into.Write(message.Data[1:]); err != nil {
					return err
				}
			}
		case *pgproto3.ReadyForQuery:
			if places != 2 || archives != 1 {
				return errors.New("the database ended its base backup early")
			}
			return nil
		}
	}
}

// sweep removes what no time needs that one wants to go back to: a base backup once the one after it is too old, and the log before
// the first that is left. A set that was left goes when its end is too old; the one that is written to keeps a base backup always.
func (k *keeper) sweep(ctx context.Context) error {
	oldest := time.Now().Add(-k.given.keep)
	sets, err := k.store.sets(ctx)
	if err != nil {
		return err
	}
	var earliest time.Time
	for index, each := range sets {
		last := index == len(sets)-1
		ended, err := k.store.endOf(ctx, each.id)
		if err != nil {
			return err
		}
		bases, err := k.store.bases(ctx, each.id)
		if err != nil {
			return err
		}
		if !last && (ended.AsOf.Before(oldest) || len(bases) == 0) {
			if err := k.removeSet(ctx, each.id); err != nil {
				return err
			}
			continue
		}
		for len(bases) > 1 && bases[1].EndedAt.Before(oldest) {
			// The mark that it is whole goes first.
			if err := k.store.remove(ctx, setPrefix(each.id)+"bases/"+bases[0].id+".json"); err != nil {
				return err
			}
			bases = bases[1:]
		}
		if len(bases) > 0 && (earliest.IsZero() || bases[0].EndedAt.Before(earliest)) {
			earliest = bases[0].EndedAt
		}
		if err := k.sweepSet(ctx, each.id, bases); err != nil {
			return err
		}
	}
	k.state.change(func(now *known) { now.earliest = earliest })
	return nil
}

// sweepSet removes base backups without their mark, and the log before the first with one.
func (k *keeper) sweepSet(ctx context.Context, id string, bases []base) error {
	if len(bases) == 0 {
		return nil
	}
	whole := map[string]bool{}
	for _, each := range bases {
		whole[each.id] = true
	}
	objects, err := k.store.list(ctx, setPrefix(id)+"bases/")
	if err != nil {
		return err
	}
	for _, each := range objects {
		name, _, _ := strings.Cut(each.name, "Z.")
		if !whole[name+"Z"] {
			if err := k.store.remove(ctx, setPrefix(id)+"bases/"+each.name); err != nil {
				return err
			}
		}
	}
	segments, _, err := k.store.segments(ctx, id)
	if err != nil {
		return err
	}
	for _, each := range segments {
		if each.number < bases[0].First {
			if err := k.store.remove(ctx, setPrefix(id)+"log/"+each.object); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeSet removes all of a set. What names it goes last, so that a removal that was killed is found again.
func (k *keeper) removeSet(ctx context.Context, id string) error {
	for _, part := range []string{"bases/", "log/", ""} {
		objects, err := k.store.list(ctx, setPrefix(id)+part)
		if err != nil {
			return err
		}
		for _, each := range objects {
			if each.name == "set.json" {
				continue
			}
			if err := k.store.remove(ctx, setPrefix(id)+part+each.name); err != nil {
				return err
			}
		}
	}
	return k.store.remove(ctx, setPrefix(id)+"set.json")
}
