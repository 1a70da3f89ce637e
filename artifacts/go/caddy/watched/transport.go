// Package watched is Caddy's transport `http`, which also notices a service that is gone without a word: lost with its
// node, or cut off.
//
//	transport watched {
//		lost_after 15s
//		...            # all that `http` takes
//	}
//
// A connection ends when its other end has acknowledged nothing of what was sent, or answered no probe, for that long. A request
// that may be sent twice without harm is then sent again. Any other request fails.
//
// The kernel's own limit, TCP_USER_TIMEOUT, would do for requests. But it also ends a connection whose other end is there and
// takes nothing for a while: what a user sends into a job that is busy.
package watched

import (
	"context"
	"errors"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

const defaultLostAfter = 15 * time.Second

func init() {
	caddy.RegisterModule(new(Transport))
}

// Transport is `http` with a watch over its connections.
type Transport struct {
	reverseproxy.HTTPTransport

	// How long sent bytes may be acknowledged by nobody. Default: 15s.
	LostAfter caddy.Duration `json:"lost_after,omitempty"`

	watch *watch
}

// CaddyModule returns the Caddy module information.
func (*Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport.watched",
		New: func() caddy.Module { return new(Transport) },
	}
}

// Provision makes the transport, and starts the watch.
func (t *Transport) Provision(ctx caddy.Context) error {
	if err := t.HTTPTransport.Provision(ctx); err != nil {
		return err
	}
	if t.LostAfter <= 0 {
		t.LostAfter = caddy.Duration(defaultLostAfter)
	}
	lost := time.Duration(t.LostAfter)
	t.watch = newWatch(ctx, lost)
	// Three probes fit in: the other end is lost when none is answered.
	probes := net.KeepAliveConfig{Enable: true, Idle: lost / 3, Interval: lost / 3, Count: 2}
	dial := t.Transport.DialContext
	t.Transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		connection, ok := conn.(*net.TCPConn)
		if !ok {
			return conn, nil
		}
		if err := connection.SetKeepAliveConfig(probes); err != nil {
			_ = connection.Close()
			return nil, err
		}
		return t.watch.over(connection)
	}
	return nil
}

// RoundTrip sends a request, and sends it again where its connection was lost and that does no harm. Another end of the
// service may be lost with the first: for as long again, it is tried.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.HTTPTransport.RoundTrip(request)
	if err == nil || !isLost(err) || !repeatable(request) {
		return response, err
	}
	for end := time.Now().Add(time.Duration(t.LostAfter)); ; {
		response, err = t.HTTPTransport.RoundTrip(request)
		if err == nil || request.Context().Err() != nil || time.Now().After(end) {
			return response, err
		}
		var dialed reverseproxy.DialError
		if !isLost(err) && !errors.As(err, &dialed) {
			return response, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// UnmarshalCaddyfile reads `lost_after`, and leaves the rest to `http`.
func (t *Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	var rest []caddyfile.Token
	for d.Next() {
		if d.Val() != "lost_after" {
			rest = append(rest, d.Token())
			continue
		}
		if !d.NextArg() {
			return d.ArgErr()
		}
		duration, err := caddy.ParseDuration(d.Val())
		if err != nil || duration < time.Second {
			return d.Errf("lost_after: a duration of a second or more, not %q", d.Val())
		}
		t.LostAfter = caddy.Duration(duration)
	}
	return t.HTTPTransport.UnmarshalCaddyfile(caddyfile.NewDispenser(rest))
}

// Of a connection that the watch ended, or of one whose probes the kernel sent in vain.
func isLost(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, syscall.ETIMEDOUT)
}

// RFC 9110, 9.2.2: to repeat it changes nothing. A body would have to be read again.
func repeatable(request *http.Request) bool {
	if request.Body != nil && request.Body != http.NoBody {
		return false
	}
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return request.Header.Get("Upgrade") == ""
	}
	return false
}

var (
	_ caddy.Provisioner         = (*Transport)(nil)
	_ caddy.CleanerUpper        = (*Transport)(nil)
	_ caddyfile.Unmarshaler     = (*Transport)(nil)
	_ http.RoundTripper         = (*Transport)(nil)
	_ reverseproxy.TLSTransport = (*Transport)(nil)
)
