package main

import (
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"
)

// Bounds of HTTP/2 (RFC 9113). One connection has many streams, so that connections, streams and windows are bounded each: at most
// mostConnections × connectionWindow bytes of bodies wait for jobs, and mostStreams × streamWindow bytes of answers for visitors.
const (
	mostConnections  = 160
	mostOfConnection = 100
	// As the gateway takes them of HTTP/1.1.
	maxBodyBytes = 64 << 30
	// Of all connections together.
	mostStreams      = 400
	streamWindow     = 128 * 1024
	connectionWindow = 384 * 1024
	// As the gateway takes them.
	streamHeaderBytes = 16 * 1024
	answerHeaderBytes = 64 * 1024
	// Of what a job sends by gRPC. All streams of a job share one connection: it has room for all of them, so that one which is not
	// taken holds up no other.
	answerWindow    = 64 * 1024
	allAnswerWindow = mostOfJob * answerWindow
	// A peer that answers no ping is gone.
	pingAfter = 15 * time.Second
	pingTime  = 15 * time.Second
	stallTime = time.Minute
	sayTime   = 5 * time.Second
)

// listenHTTP2 takes connections whose first bytes say who is at their other end, as the gateway writes it. Nobody else reaches the port.
func listenHTTP2(port int) (net.Listener, error) {
	plain, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	return &proxyproto.Listener{
		Listener:          &counted{Listener: plain, free: make(chan struct{}, mostConnections)},
		ConnPolicy:        func(proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) { return proxyproto.REQUIRE, nil },
		ReadHeaderTimeout: sayTime,
	}, nil
}

// counted closes connections beyond the most.
type counted struct {
	net.Listener
	free chan struct{}
}

func (c *counted) Accept() (net.Conn, error) {
	for {
		conn, err := c.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case c.free <- struct{}{}:
			return &counting{Conn: conn, free: c.free}, nil
		default:
			_ = conn.Close()
		}
	}
}

// http2Server serves what the gateway hands over.
func http2Server(router *router) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           &overHTTP2{router: router, free: make(chan struct{}, mostStreams)},
		ErrorLog:          log.Default(),
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    streamHeaderBytes,
		Protocols:         protocols,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          mostOfConnection,
			MaxReceiveBufferPerConnection: connectionWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			SendPingTimeout:               pingAfter,
			PingTimeout:                   pingTime,
			WriteByteTimeout:              stallTime,
		},
	}
}

// overHTTP2 says of a request what the gateway says of others, and leads it on.
type overHTTP2 struct {
	router *router
	free   chan struct{}
}

func (o *overHTTP2) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	for name := range request.Header {
		if forwarded(name) {
			delete(request.Header, name)
		}
	}
	if visitor, _, err := net.SplitHostPort(request.RemoteAddr); err == nil {
		request.Header.Set("X-Forwarded-For", visitor)
	}
	request.Header.Set("X-Forwarded-Proto", "https")
	if !strings.HasSuffix(hostOf(request.Host), "."+o.router.jobsDomain) {
		// A browser takes one connection for all names of a certificate, and asks by another one where it is told so (RFC 9110, 15.5.20).
		writer.WriteHeader(http.StatusMisdirectedRequest)
		return
	}
	if request.Method == http.MethodConnect {
		writer.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if request.ContentLength > maxBodyBytes {
		o.router.refuse(writer, request, tooLarge)
		return
	}
	select {
	case o.free <- struct{}{}:
		defer func() { <-o.free }()
	default:
		o.router.refuse(writer, request, tooMany)
		return
	}
	request.Body = http.MaxBytesReader(writer, request.Body, maxBodyBytes)
	o.router.ServeHTTP(writer, request)
}

// toJobs sends what jobs are asked: gRPC by HTTP/2, which it needs, and all else by HTTP/1.1, which every job speaks.
type toJobs struct{ plain, streams http.RoundTripper }

func newToJobs(plain *http.Transport) *toJobs {
	streams := plain.Clone()
	streams.Protocols = new(http.Protocols)
	streams.Protocols.SetUnencryptedHTTP2(true)
	streams.MaxResponseHeaderBytes = answerHeaderBytes
	streams.HTTP2 = &http.HTTP2Config{
		MaxReceiveBufferPerConnection: allAnswerWindow,
		MaxReceiveBufferPerStream:     answerWindow,
		SendPingTimeout:               pingAfter,
		PingTimeout:                   pingTime,
	}
	return &toJobs{plain: plain, streams: streams}
}

func (t *toJobs) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.ProtoMajor == 2 && isGRPC(request.Header) {
		return t.streams.RoundTrip(request)
	}
	return t.plain.RoundTrip(request)
}

// isGRPC: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. gRPC for browsers (grpc-web) is HTTP/1.1.
func isGRPC(header http.Header) bool {
	kind := header.Get("Content-Type")
	return kind == "application/grpc" || strings.HasPrefix(kind, "application/grpc+") || strings.HasPrefix(kind, "application/grpc;")
}
