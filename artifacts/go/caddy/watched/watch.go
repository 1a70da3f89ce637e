package watched

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

var errLost = errors.New("the other end has acknowledged nothing for too long")

// Of how many parts the limit is made; so exactly is it kept.
const parts = 15

// watch looks at all connections of a transport, one after the other.
type watch struct {
	limit       time.Duration
	mutex       sync.Mutex
	connections map[*connection]struct{}
}

// connection is one that is watched.
type connection struct {
	*net.TCPConn
	watch *watch
	lost  atomic.Bool
	// What was acknowledged, and since when nothing more was while something was under way. Of the watch alone.
	acknowledged uint64
	since        time.Time
}

func newWatch(ctx context.Context, limit time.Duration) *watch {
	w := &watch{limit: limit, connections: map[*connection]struct{}{}}
	go func() {
		ticker := time.NewTicker(limit / parts)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-ticker.C:
				w.look(now)
			}
		}
	}()
	return w
}

func (w *watch) over(conn *net.TCPConn) (net.Conn, error) {
	c := &connection{TCPConn: conn, watch: w}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.connections[c] = struct{}{}
	return c, nil
}

func (w *watch) look(now time.Time) {
	w.mutex.Lock()
	all := make([]*connection, 0, len(w.connections))
	for c := range w.connections {
		all = append(all, c)
	}
	w.mutex.Unlock()
	for _, c := range all {
		if c.isLost(now, w.limit) {
			c.lost.Store(true)
			// Nobody would take what is still to be sent.
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}

// A window that is shut is no loss: its owner answers probes, which count as acknowledged though they bring nothing on.
func (c *connection) isLost(now time.Time, limit time.Duration) bool {
	info, err := c.info()
	if err != nil {
		return false
	}
	if info.Unacked == 0 || info.Bytes_acked != c.acknowledged || c.since.IsZero() {
		c.acknowledged = info.Bytes_acked
		c.since = time.Time{}
		if info.Unacked > 0 {
			c.since = now
		}
		return false
	}
	return now.Sub(c.since) >= limit && time.Duration(info.Last_ack_recv)*time.Millisecond >= limit
}

func (c *connection) info() (info *unix.TCPInfo, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	outer := raw.Control(func(fd uintptr) {
		info, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	return info, errors.Join(outer, err)
}

func (c *connection) Close() error {
	c.watch.mutex.Lock()
	delete(c.watch.connections, c)
	c.watch.mutex.Unlock()
	return c.TCPConn.Close()
}

func (c *connection) Read(into []byte) (int, error) {
	n, err := c.TCPConn.Read(into)
	return n, c.told(err)
}

func (c *connection) Write(from []byte) (int, error) {
	n, err := c.TCPConn.Write(from)
	return n, c.told(err)
}

func (c *connection) told(err error) error {
	if err != nil && err != io.EOF && c.lost.Load() {
		return errLost
	}
	return err
}
