// Package handover hands connections of HTTP/2 to the service that they are for, whole and as they come. The gateway ends their TLS and
// reads nothing of them: their streams and windows are that service's, and the gateway speaks HTTP/1.1 alone.
//
//	servers :8443 {
//		listener_wrappers {
//			handover job-router:8082
//		}
//	}
//
// Which connections may become HTTP/2 is said where their TLS is: by `alpn` of a site. The service learns by the PROXY protocol, version 2,
// who is at the other end.
// See https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
package handover

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

const (
	// Connections that are handed over at once. Each takes two buffers; one more is closed.
	most       = 160
	bufferSize = 16 * 1024
	// From the connection to the end of its TLS handshake.
	handshakeTime = 10 * time.Second
	dialTime      = 5 * time.Second
	// A service that acknowledges nothing for so long is gone.
	lostAfter = 15 * time.Second
	// A client that takes nothing for so long is let go.
	stallTime = time.Minute
	// Connections cannot be taken while there are too many files.
	restTime = 50 * time.Millisecond
)

func init() {
	caddy.RegisterModule(new(Wrapper))
}

// Wrapper is a listener wrapper of Caddy. It stands where Caddy puts wrappers by itself: after TLS.
type Wrapper struct {
	// To is the address of the service.
	To string `json:"to"`

	log *zap.Logger
}

// CaddyModule returns the Caddy module information.
func (*Wrapper) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.listeners.handover", New: func() caddy.Module { return new(Wrapper) }}
}

// Provision keeps the log.
func (w *Wrapper) Provision(ctx caddy.Context) error {
	w.log = ctx.Logger()
	return nil
}

// UnmarshalCaddyfile reads `handover ADDRESS`.
func (w *Wrapper) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.NextArg() {
		return d.ArgErr()
	}
	w.To = d.Val()
	if _, _, err := net.SplitHostPort(w.To); err != nil || d.NextArg() {
		return d.Errf("handover: one address with a port, not %q", w.To)
	}
	return nil
}

// WrapListener has connections of HTTP/2 go to the service, and gives Caddy all others.
func (w *Wrapper) WrapListener(inner net.Listener) net.Listener {
	l := &listener{Listener: inner, wrapper: w, others: make(chan accepted), closed: make(chan struct{})}
	go l.take()
	return l
}

type accepted struct {
	conn net.Conn
	err  error
}

type listener struct {
	net.Listener
	wrapper *Wrapper
	others  chan accepted
	closed  chan struct{}
	once    sync.Once
	handed  atomic.Int64
}

// Accept returns the next connection that is not HTTP/2.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case next := <-l.others:
		return next.conn, next.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listening. What was handed over goes on.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *listener) take() {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			l.give(accepted{err: err})
			if errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(restTime)
			continue
		}
		secure, ok := conn.(*tls.Conn)
		if !ok {
			l.give(accepted{conn: conn})
			continue
		}
		go l.look(secure)
	}
}

func (l *listener) give(one accepted) {
	select {
	case l.others <- one:
	case <-l.closed:
		if one.conn != nil {
			_ = one.conn.Close()
		}
	}
}

// look ends the handshake, which says what the connection is.
func (l *listener) look(conn *tls.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	err := conn.HandshakeContext(ctx)
	cancel()
	if err != nil {
		_ = conn.Close()
		return
	}
	if conn.ConnectionState().NegotiatedProtocol != "h2" {
		l.give(accepted{conn: conn})
		return
	}
	defer conn.Close()
	if l.handed.Add(1) <= most {
		l.handOver(conn)
	}
	l.handed.Add(-1)
}

func (l *listener) handOver(client *tls.Conn) {
	dialer := &net.Dialer{
		Timeout:         dialTime,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: lostAfter / 3, Interval: lostAfter / 3, Count: 2},
		Control: func(_, _ string, raw syscall.RawConn) error {
			var err error
			failed := raw.Control(func(file uintptr) {
				err = unix.SetsockoptInt(int(file), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(lostAfter.Milliseconds()))
			})
			return errors.Join(failed, err)
		},
	}
	service, err := dialer.Dial("tcp", l.wrapper.To)
	if err != nil {
		l.wrapper.log.Warn("a connection of HTTP/2 cannot be handed over", zap.Error(err))
		return
	}
	defer service.Close()
	header := proxyproto.HeaderProxyFromAddrs(2, client.RemoteAddr(), client.LocalAddr())
	if _, err := header.WriteTo(service); err != nil {
		return
	}
	go func() {
		_, _ = io.CopyBuffer(writer{service}, reader{client}, make([]byte, bufferSize))
		// The service ends what it has begun, and closes.
		_ = service.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.CopyBuffer(writer{patient{client}}, reader{service}, make([]byte, bufferSize))
}

// reader and writer have no other methods, so that the buffer is used.
type reader struct{ io.Reader }
type writer struct{ io.Writer }

// patient waits for its client to take what is written, and no longer than that.
type patient struct{ net.Conn }

func (p patient) Write(data []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(stallTime)); err != nil {
		return 0, err
	}
	return p.Conn.Write(data)
}

var (
	_ caddy.Provisioner     = (*Wrapper)(nil)
	_ caddy.ListenerWrapper = (*Wrapper)(nil)
	_ caddyfile.Unmarshaler = (*Wrapper)(nil)
)
