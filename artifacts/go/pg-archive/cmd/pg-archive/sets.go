package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
)

/*
 * Terminology: a *set* is what was archived of one unbroken history of a database: base backups, and all of its log since. A database
 * that is brought back to an earlier time, or of which a part of the log is lost, gets a new set. In the bucket:
 *
 *	sets/SET/set.json              of which database, since when
 *	sets/SET/end.json              up to when all is there
 *	sets/SET/bases/BASE.tar.zst    a base backup; .age where it is encrypted
 *	sets/SET/bases/BASE.json       the same is whole
 *	sets/SET/log/SEGMENT.zst       a segment of the log; .partial before .zst: its beginning
 *	sets/SET/log/TIMELINE.history  where a timeline left the one before it
 */

const segmentBytes = 16 << 20

// set is the content of set.json.
type set struct {
	System    string    `json:"system"`
	CreatedAt time.Time `json:"createdAt"`
	// The segment from which on the log is kept.
	First     uint64 `json:"first"`
	Recipient string `json:"recipient"`
	id        string
}

// end is the content of end.json.
type end struct {
	AsOf   time.Time `json:"asOf"`
	Closed bool      `json:"closed"`
	// Where the log ended then.
	UpTo uint64 `json:"upTo"`
}

// lastSegment is the one that the log ended in.
func (e end) lastSegment() uint64 {
	if e.UpTo == 0 {
		return 0
	}
	return (e.UpTo - 1) / segmentBytes
}

// base is the content of a base backup's JSON.
type base struct {
	Timeline int32     `json:"timeline"`
	First    uint64    `json:"first"`
	Last     uint64    `json:"last"`
	EndedAt  time.Time `json:"endedAt"`
	Bytes    int64     `json:"bytes"`
	id       string
}

const timeForm = "20060102T150405.000Z"

func setPrefix(id string) string { return "sets/" + id + "/" }

var setName = regexp.MustCompile(`^sets/([0-9TZ.]+-[0-9]+)/set\.json$`)

// sets gives all of them, the earliest first.
func (s *store) sets(ctx context.Context) ([]set, error) {
	objects, err := s.list(ctx, "sets/")
	if err != nil {
		return nil, err
	}
	var found []set
	for _, each := range objects {
		match := setName.FindStringSubmatch("sets/" + each.name)
		if match == nil {
			continue
		}
		one := set{id: match[1]}
		if err := s.readJSON(ctx, setPrefix(one.id)+"set.json", &one); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	sort.Slice(found, func(a, b int) bool { return found[a].id < found[b].id })
	return found, nil
}

func (s *store) readJSON(ctx context.Context, key string, into any) error {
	text, err := s.read(ctx, key)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	return nil
}

func (s *store) putJSON(ctx context.Context, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.put(ctx, key, text, nil)
}

func (s *store) endOf(ctx context.Context, id string) (end, error) {
	var found end
	err := s.readJSON(ctx, setPrefix(id)+"end.json", &found)
	if errors.Is(err, errNotThere) {
		err = nil
	}
	return found, err
}

// bases gives the whole base backups of a set, the earliest first.
func (s *store) bases(ctx context.Context, id string) ([]base, error) {
	objects, err := s.list(ctx, setPrefix(id)+"bases/")
	if err != nil {
		return nil, err
	}
	var found []base
	for _, each := range objects {
		name, isNote := strings.CutSuffix(each.name, ".json")
		if !isNote {
			continue
		}
		one := base{id: name}
		if err := s.readJSON(ctx, setPrefix(id)+"bases/"+each.name, &one); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	sort.Slice(found, func(a, b int) bool { return found[a].id < found[b].id })
	return found, nil
}

// segment is a piece of the log, whole or its beginning.
type segment struct {
	timeline int32
	number   uint64
	partial  bool
	// Its object's name below the set's log.
	object string
	since  time.Time
}

func (s segment) name() string { return segmentName(s.timeline, s.number) }

const segmentsPerID = 0x100000000 / segmentBytes

func segmentName(timeline int32, number uint64) string {
	return fmt.Sprintf("%08X%08X%08X", timeline, number/segmentsPerID, number%segmentsPerID)
}

func segmentOf(at pglogrepl.LSN) uint64 { return uint64(at) / segmentBytes }

var segmentForm = regexp.MustCompile(`^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?\.zst(\.age)?$`)
var historyForm = regexp.MustCompile(`^([0-9A-F]{8})\.history$`)

// segments gives those of a set in the order of their names, and its timelines' histories.
func (s *store) segments(ctx context.Context, id string) ([]segment, []int32, error) {
	objects, err := s.list(ctx, setPrefix(id)+"log/")
	if err != nil {
		return nil, nil, err
	}
	var found []segment
	var histories []int32
	for _, each := range objects {
		if match := historyForm.FindStringSubmatch(each.name); match != nil {
			timeline, _ := strconv.ParseUint(match[1], 16, 32)
			histories = append(histories, int32(timeline))
		}
		match := segmentForm.FindStringSubmatch(each.name)
		if match == nil {
			continue
		}
		timeline, _ := strconv.ParseUint(match[1], 16, 32)
		high, _ := strconv.ParseUint(match[2], 16, 64)
		low, _ := strconv.ParseUint(match[3], 16, 64)
		found = append(found, segment{int32(timeline), high*segmentsPerID + low, match[4] != "", each.name, each.since})
	}
	sort.Slice(found, func(a, b int) bool { return found[a].object < found[b].object })
	sort.Slice(histories, func(a, b int) bool { return histories[a] < histories[b] })
	return found, histories, nil
}

// line is the way of a timeline back to the first one.
type line struct {
	timeline int32
	switches []timelineSwitch
}

// timelineSwitch says where a timeline was left.
type timelineSwitch struct {
	timeline int32
	at       pglogrepl.LSN
}

// lineOf reads the content of TIMELINE.history. @see https://www.postgresql.org/docs/17/continuous-archiving.html "Timelines"
func lineOf(timeline int32, history string) (line, error) {
	found := line{timeline: timeline}
	for _, row := range strings.Split(history, "\n") {
		fields := strings.Fields(row)
		if len(fields) < 2 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		number, err := strconv.ParseInt(fields[0], 10, 32)
		if err != nil {
			return found, fmt.Errorf("the history of timeline %d has the line %q", timeline, row)
		}
		at, err := pglogrepl.ParseLSN(fields[1])
		if err != nil {
			return found, fmt.Errorf("the history of timeline %d has the line %q", timeline, row)
		}
		found.switches = append(found.switches, timelineSwitch{int32(number), at})
	}
	return found, nil
}

// owner is the timeline on which a segment is read: one in which another timeline begins is the latter's.
func (l line) owner(number uint64) int32 {
	for _, each := range l.switches {
		if number < segmentOf(each.at) {
			return each.timeline
		}
	}
	return l.timeline
}
