package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// What the bucket has, for whoever plans to go back.
type point struct {
	Set string `json:"set"`
	// One can go back to any time from the end of its first base backup to here.
	Until  time.Time   `json:"until"`
	Closed bool        `json:"closed"`
	Bases  []pointBase `json:"bases"`
	// Segments that are missing between the first base backup and the end, at most five of them.
	Missing []pointMissing `json:"missing"`
	// Whether the key that is given opens it; else, for which one it is encrypted.
	Opens     bool   `json:"opens"`
	Recipient string `json:"recipient"`
}

type pointBase struct {
	ID string `json:"id"`
	// From then on.
	From  time.Time `json:"from"`
	Bytes int64     `json:"bytes"`
	// Its first segment, and how many there are from it on.
	First    uint64 `json:"first"`
	Segments int    `json:"segments"`
}

// pointMissing is a segment that is not there, though one after it is.
type pointMissing struct {
	Segment string `json:"segment"`
	Number  uint64 `json:"number"`
	// About when it was written: when the one before it came.
	Since time.Time `json:"since"`
}

const mostMissing = 5

func points(ctx context.Context, store *store) ([]point, error) {
	sets, err := store.sets(ctx)
	if err != nil {
		return nil, err
	}
	found := []point{}
	for _, each := range sets {
		bases, err := store.bases(ctx, each.id)
		if err != nil {
			return nil, err
		}
		if len(bases) == 0 {
			continue
		}
		ended, err := store.endOf(ctx, each.id)
		if err != nil {
			return nil, err
		}
		one := point{Set: each.id, Until: ended.AsOf, Closed: ended.Closed, Recipient: each.Recipient, Opens: each.Recipient == "", Missing: []pointMissing{}}
		for _, key := range store.keys {
			one.Opens = one.Opens || key.Recipient().String() == each.Recipient
		}
		way, chain, err := chainOf(ctx, store, each.id)
		if err != nil {
			return nil, err
		}
		there := map[uint64]segment{}
		last := max(bases[0].First, ended.lastSegment())
		for _, piece := range chain {
			there[piece.number] = piece
			last = max(last, piece.number)
		}
		since := bases[0].EndedAt
		for number := bases[0].First; number <= last && len(one.Missing) < mostMissing; number++ {
			if piece, is := there[number]; is {
				since = piece.since
			} else {
				one.Missing = append(one.Missing, pointMissing{segmentName(way.owner(number), number), number, since})
			}
		}
		for _, taken := range bases {
			one.Bases = append(one.Bases, pointBase{taken.id, taken.EndedAt, taken.Bytes, taken.First, int(last - taken.First + 1)})
		}
		found = append(found, one)
	}
	return found, nil
}

// chainOf gives the segments of a set that its last timeline consists of, whole ones before partial ones of the same number.
func chainOf(ctx context.Context, store *store, id string) (line, []segment, error) {
	segments, histories, err := store.segments(ctx, id)
	if err != nil {
		return line{}, nil, err
	}
	way := line{timeline: 1}
	if len(histories) > 0 {
		newest := histories[len(histories)-1]
		text, err := store.read(ctx, fmt.Sprintf("%slog/%08X.history", setPrefix(id), newest))
		if err != nil {
			return way, nil, err
		}
		if way, err = lineOf(newest, string(text)); err != nil {
			return way, nil, err
		}
	}
	var chain []segment
	for _, each := range segments {
		if way.owner(each.number) != each.timeline {
			continue
		}
		if each.partial && len(chain) > 0 && chain[len(chain)-1].number == each.number {
			continue
		}
		// A partial one comes before the whole one of its name.
		if !each.partial && len(chain) > 0 && chain[len(chain)-1].number == each.number {
			chain[len(chain)-1] = each
			continue
		}
		chain = append(chain, each)
	}
	return way, chain, nil
}

func (s *store) baseOf(ctx context.Context, set, id string) (base, error) {
	bases, err := s.bases(ctx, set)
	if err != nil {
		return base{}, err
	}
	for _, each := range bases {
		if each.id == id {
			return each, nil
		}
	}
	return base{}, fmt.Errorf("set %s has no base backup %s", set, id)
}

// writeBase writes the tar of a base backup.
func writeBase(ctx context.Context, store *store, set, id string, into io.Writer) error {
	if _, err := store.baseOf(ctx, set, id); err != nil {
		return err
	}
	objects, err := store.list(ctx, setPrefix(set)+"bases/"+id+".tar.zst")
	if err != nil {
		return err
	}
	if len(objects) != 1 {
		return fmt.Errorf("the base backup %s of set %s is missing", id, set)
	}
	content, err := store.open(ctx, setPrefix(set)+"bases/"+id+".tar.zst"+objects[0].name)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = io.Copy(into, content)
	return err
}

// The clocks of the database and of the object storage may be so far apart.
const mostApart = 10 * time.Minute

// Segments after the time that is gone back to, so that the database sees that it is past it.
const segmentsAfter = 2

// writeLog writes the segments that lead from a base backup to a time, under the names by which the database asks for them.
func writeLog(ctx context.Context, store *store, set, id string, until time.Time, into io.Writer) error {
	from, err := store.baseOf(ctx, set, id)
	if err != nil {
		return err
	}
	way, chain, err := chainOf(ctx, store, set)
	if err != nil {
		return err
	}
	if chain, err = leading(ctx, store, set, from, way, chain, until); err != nil {
		return err
	}
	archive := tar.NewWriter(into)
	add := func(name string, content []byte) error {
		header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		_, err := archive.Write(content)
		return err
	}
	_, histories, err := store.segments(ctx, set)
	if err != nil {
		return err
	}
	for _, timeline := range histories {
		name := fmt.Sprintf("%08X.history", timeline)
		text, err := store.read(ctx, setPrefix(set)+"log/"+name)
		if err != nil {
			return err
		}
		if err := add(name, text); err != nil {
			return err
		}
	}
	for _, each := range chain {
		content, err := store.wholeSegment(ctx, set, each)
		if err != nil {
			return err
		}
		if err := add(each.name(), content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// leading gives the segments from a base backup to a time, or says which one is not there.
func leading(ctx context.Context, store *store, set string, from base, way line, chain []segment, until time.Time) ([]segment, error) {
	ended, err := store.endOf(ctx, set)
	if err != nil {
		return nil, err
	}
	var found []segment
	next, after := from.First, 0
	lacks := func() error {
		return fmt.Errorf("the archive lacks the segment %s of the log", segmentName(way.owner(next), next))
	}
	for _, each := range chain {
		if each.number < from.First {
			continue
		}
		if each.number != next {
			return nil, lacks()
		}
		if each.since.After(until.Add(mostApart)) {
			if after++; after > segmentsAfter {
				return found, nil
			}
		}
		found, next = append(found, each), next+1
	}
	if next <= ended.lastSegment() {
		return nil, lacks()
	}
	return found, nil
}

// wholeSegment gives a segment in its full length, with zeros after what is known of it.
func (s *store) wholeSegment(ctx context.Context, set string, each segment) ([]byte, error) {
	reader, err := s.open(ctx, setPrefix(set)+"log/"+each.object)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	content := make([]byte, segmentBytes)
	read, err := io.ReadFull(reader, content)
	if errors.Is(err, io.ErrUnexpectedEOF) && each.partial {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s has %d bytes: %w", each.object, read, err)
	}
	return content, nil
}
