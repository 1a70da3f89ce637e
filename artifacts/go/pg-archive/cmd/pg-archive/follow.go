package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	connectTime  = 15 * time.Second
	leastBackoff = time.Second
	mostBackoff  = 15 * time.Second
)

// follower brings the log into the bucket as the database writes it.
type follower struct {
	given settings
	store *store
	state *state
	// Said once, since it may last.
	said string
}

// errOther says that the database has another history than the set, so that a new set begins.
type errOther struct {
	why string
	// The database is about to end.
	pause time.Duration
}

func (e errOther) Error() string { return "a new set begins: " + e.why }

// What the server says where it has not, or not any more, what is asked of it.
var gone = regexp.MustCompile(`has already been removed|is ahead of the WAL flush position|is not in this server's history|can no longer|has been invalidated`)

func lost(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) && gone.MatchString(said.Message+said.Detail) {
		return errOther{why: said.Message}
	}
	return err
}

func (f *follower) run(ctx context.Context) {
	backoff := leastBackoff
	fresh := false
	for ctx.Err() == nil {
		started := time.Now()
		err := f.follow(ctx, fresh)
		fresh = false
		f.state.change(func(now *known) { now.set = "" })
		if ctx.Err() != nil {
			return
		}
		var other errOther
		if errors.As(err, &other) {
			log.Print(other.Error())
			fresh = true
			if other.pause > 0 {
				select {
				case <-ctx.Done():
				case <-time.After(other.pause):
				}
			}
			continue
		}
		f.state.change(func(now *known) { now.failures++ })
		if err != nil && err.Error() != f.said {
			f.said = err.Error()
			log.Print(f.said)
		}
		if time.Since(started) > mostBackoff {
			backoff = leastBackoff
		}
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, mostBackoff)
	}
}

// connected gives a connection for replication.
func connected(ctx context.Context, given settings, name string) (*pgconn.PgConn, error) {
	password, err := secretIn(given.passwordFile)
	if err != nil {
		return nil, err
	}
	config, err := pgconn.ParseConfig("sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port = given.host, uint16(given.databasePort)
	config.User, config.Password = given.user, password
	config.ConnectTimeout = connectTime
	config.RuntimeParams = map[string]string{"replication": "true", "application_name": name}
	connection, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the database: %w", err)
	}
	return connection, nil
}

func leave(connection *pgconn.PgConn) {
	ctx, end := context.WithTimeout(context.Background(), time.Second)
	defer end()
	_ = connection.Close(ctx)
}

func (f *follower) follow(ctx context.Context, fresh bool) error {
	connection, err := connected(ctx, f.given, "delos-archive")
	if err != nil {
		return err
	}
	defer leave(connection)
	system, err := pglogrepl.IdentifySystem(ctx, connection)
	if err != nil {
		return err
	}
	way := line{timeline: system.Timeline}
	history := ""
	if system.Timeline > 1 {
		said, err := pglogrepl.TimelineHistory(ctx, connection, system.Timeline)
		if err != nil {
			return err
		}
		history = string(said.Content)
		if way, err = lineOf(system.Timeline, history); err != nil {
			return err
		}
	}
	from, err := f.resume(ctx, system, way, fresh)
	if err != nil {
		return err
	}
	if from.created {
		f.state.change(func(now *known) { now.newSets++ })
		_ = pglogrepl.DropReplicationSlot(ctx, connection, f.given.slot, pglogrepl.DropReplicationSlotOptions{})
	}
	if err := f.provideSlot(ctx, connection); err != nil {
		return err
	}
	prefix := setPrefix(from.set.id) + "log/"
	if history != "" {
		if err := f.store.put(ctx, fmt.Sprintf("%s%08X.history", prefix, system.Timeline), []byte(history), nil); err != nil {
			return fmt.Errorf("the object storage: %w", err)
		}
	}
	bases, err := f.store.bases(ctx, from.set.id)
	if err != nil {
		return fmt.Errorf("the object storage: %w", err)
	}
	f.state.change(func(now *known) {
		now.set, now.timeline, now.base = from.set.id, system.Timeline, time.Time{}
		now.received, now.acked = 0, 0
		if len(bases) > 0 {
			now.base = bases[len(bases)-1].EndedAt
		}
	})
	f.state.nudge()
	reading := &reader{follower: f, connection: connection, set: from.set.id, prefix: prefix, proofs: from.proofs}
	return lost(reading.run(ctx, way, from.first))
}

// provideSlot lets the database keep its log from now on until it is in the bucket, as far as its settings let it.
func (f *follower) provideSlot(ctx context.Context, connection *pgconn.PgConn) error {
	_, err := connection.Exec(ctx, fmt.Sprintf("CREATE_REPLICATION_SLOT %s PHYSICAL RESERVE_WAL", f.given.slot)).ReadAll()
	var said *pgconn.PgError
	if errors.As(err, &said) && said.Code == "42710" {
		return nil
	}
	return err
}

// start says where to go on.
type start struct {
	set     set
	created bool
	first   uint64
	proofs  map[string]proof
}

// proof is what must be in a segment, or at its beginning, where the history is the same as before.
type proof struct {
	length int
	digest string
	whole  bool
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// resume looks for the newest set of this database and where it ends, or begins a new one.
func (f *follower) resume(ctx context.Context, system pglogrepl.IdentifySystemResult, way line, fresh bool) (start, error) {
	sets, err := f.store.sets(ctx)
	if err != nil {
		return start{}, fmt.Errorf("the object storage: %w", err)
	}
	if len(sets) > 0 && !fresh {
		newest := sets[len(sets)-1]
		found, err := f.goOn(ctx, newest, system, way)
		if err == nil {
			return found, nil
		}
		var other errOther
		if !errors.As(err, &other) {
			return start{}, fmt.Errorf("the object storage: %w", err)
		}
		log.Print(other.Error())
	}
	now := time.Now().UTC()
	created := set{
		System:    system.SystemID,
		CreatedAt: now,
		First:     segmentOf(system.XLogPos),
		Recipient: f.store.recipient(),
		id:        now.Format(timeForm) + "-" + system.SystemID,
	}
	if err := f.store.putJSON(ctx, setPrefix(created.id)+"set.json", created); err != nil {
		return start{}, fmt.Errorf("the object storage: %w", err)
	}
	log.Printf("set %s begins", created.id)
	return start{set: created, created: true, first: created.First}, nil
}

func (f *follower) goOn(ctx context.Context, newest set, system pglogrepl.IdentifySystemResult, way line) (start, error) {
	if newest.System != system.SystemID {
		return start{}, errOther{why: "this is another database than that of set " + newest.id}
	}
	if newest.Recipient != f.store.recipient() {
		return start{}, errOther{why: "the key is another than that of set " + newest.id}
	}
	ended, err := f.store.endOf(ctx, newest.id)
	if err != nil {
		return start{}, err
	}
	if ended.Closed {
		return start{}, errOther{why: "set " + newest.id + " was closed"}
	}
	segments, _, err := f.store.segments(ctx, newest.id)
	if err != nil {
		return start{}, err
	}
	first, last := newest.First, segment{}
	for _, each := range segments {
		if each.partial {
			continue
		}
		if way.owner(each.number) != each.timeline {
			return start{}, errOther{why: fmt.Sprintf("the database is not the one any more that wrote %s", each.name())}
		}
		if each.number >= first {
			first, last = each.number, each
		}
	}
	proofs := map[string]proof{}
	for _, each := range segments {
		follows := each.number == first || (last.object != "" && each.number == first+1)
		if !follows || way.owner(each.number) != each.timeline || (each.partial && each.number == first && last.object != "") {
			continue
		}
		said, err := f.store.about(ctx, setPrefix(newest.id)+"log/"+each.object)
		if err != nil {
			return start{}, err
		}
		length, _ := strconv.Atoi(said["length"])
		proofs[each.name()] = proof{length, said["sha256"], !each.partial}
	}
	f.state.change(func(now *known) { now.asOf = ended.AsOf })
	return start{set: newest, first: first, proofs: proofs}, nil
}
