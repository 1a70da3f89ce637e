package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/netutil"
	"golang.org/x/sync/semaphore"
)

const (
	mib = 1 << 20
	// maxObjectBytes is S3's own limit of one request. Larger objects come in parts.
	maxObjectBytes = 5 << 30
	// maxListBytes is the most of a body that is read as a whole: a list of keys or parts, a policy, tags.
	maxListBytes = 4 * mib
	// listBudget is for all such bodies at once.
	listBudget = 16 * mib
	// maxMetadataBytes are for the headers that are kept with an object.
	maxMetadataBytes = 2048
	maxHeaderBytes   = 16 * 1024
	maxConnections   = 512
	maxRequests      = 128
	// maxAnonymous of them come without a signature: who reads public objects slowly keeps nobody else away.
	maxAnonymous = 64
	// maxListings run at once; each takes the memory of a page.
	maxListings = 8
	// waitForTurn is how long a request waits for its turn before it is told to come later.
	waitForTurn = 10 * time.Second
	headerTime  = 10 * time.Second
	idleTime    = time.Minute
	// stallTime is how long a body or an answer may stand still.
	stallTime = 30 * time.Second
)

// front is what clients talk to. It bounds what one client may take from others, refuses what is not offered, and passes
// on the rest as it came: a signature covers host, path and headers.
type front struct {
	proxy    *httputil.ReverseProxy
	metrics  *requestMetrics
	requests *semaphore.Weighted
	unsigned *semaphore.Weighted
	listings *semaphore.Weighted
	lists    *semaphore.Weighted
}

// newFront passes requests to the server behind this socket.
func newFront(socket string, metrics *requestMetrics) *front {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		DisableCompression:  true,
		MaxIdleConnsPerHost: maxRequests,
		IdleConnTimeout:     idleTime,
		ReadBufferSize:      64 * 1024,
		WriteBufferSize:     64 * 1024,
	}
	return &front{
		proxy: &httputil.ReverseProxy{
			Transport: transport,
			Rewrite: func(request *httputil.ProxyRequest) {
				out := request.Out
				path, _, _ := strings.Cut(request.In.RequestURI, "?")
				out.URL = &url.URL{Scheme: "http", Host: "objects", Opaque: path, RawQuery: request.In.URL.RawQuery}
				out.Host = request.In.Host
				// Of the platform's own origin; nothing here is for it.
				out.Header.Del("Cookie")
			},
			ErrorHandler: func(writer http.ResponseWriter, request *http.Request, err error) {
				var fault *fault
				if errors.As(err, &fault) {
					fault.write(writer, request)
					return
				}
				log.Printf("%s: %v", request.Method, err)
				(&brokenFault).write(writer, request)
			},
			ErrorLog: log.Default(),
		},
		metrics:  metrics,
		requests: semaphore.NewWeighted(maxRequests),
		unsigned: semaphore.NewWeighted(maxAnonymous),
		listings: semaphore.NewWeighted(maxListings),
		lists:    semaphore.NewWeighted(listBudget),
	}
}

func (f *front) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           f,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		_ = server.Shutdown(end)
	}()
	err := server.Serve(netutil.LimitListener(listener, maxConnections))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (f *front) ServeHTTP(plain http.ResponseWriter, request *http.Request) {
	writer := &watchedWriter{ResponseWriter: plain, control: http.NewResponseController(plain)}
	body := &watchedBody{ReadCloser: request.Body, control: writer.control}
	request.Body = body
	began := time.Now()
	if request.ContentLength > 0 {
		_ = writer.control.SetReadDeadline(began.Add(stallTime))
	}
	what := whatOf(request)
	f.metrics.begin()
	defer func() { f.metrics.end(what.name(), writer.status, time.Since(began), body.bytes, writer.bytes) }()

	header := writer.Header()
	// An object may be a page with scripts, and lie under the platform's own origin.
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	header.Set("X-Content-Type-Options", "nosniff")
	if fault := what.refused(request); fault != nil {
		refuse(writer, request, fault)
		return
	}
	turn, cancel := context.WithTimeout(request.Context(), waitForTurn)
	defer cancel()
	for _, needed := range []struct {
		of     *semaphore.Weighted
		weight int64
	}{
		{f.unsigned, one(!what.signed(request))},
		{f.requests, 1},
		{f.listings, one(what.lists)},
		{f.lists, what.buffered(request)},
	} {
		if needed.weight == 0 {
			continue
		}
		if needed.of.Acquire(turn, needed.weight) != nil {
			refuse(writer, request, &busyFault)
			return
		}
		defer needed.of.Release(needed.weight)
	}
	f.proxy.ServeHTTP(writer, request)
}

// refuse answers a request whose body nobody reads. A client that waits for leave to send it is given that first: botocore's
// waits for it after any answer, and proxies hold an answer back that comes before.
func refuse(writer http.ResponseWriter, request *http.Request, fault *fault) {
	if request.ContentLength > 0 && request.Header.Get("Expect") != "" {
		_, _ = request.Body.Read(make([]byte, 1))
	}
	writer.Header().Set("Connection", "close")
	fault.write(writer, request)
}

func one(of bool) int64 {
	if of {
		return 1
	}
	return 0
}

// watchedBody ends a request whose body stands still, and counts its bytes.
type watchedBody struct {
	io.ReadCloser
	control *http.ResponseController
	bytes   int64
	last    time.Time
}

func (b *watchedBody) Read(into []byte) (int, error) {
	if now := time.Now(); now.Sub(b.last) > time.Second {
		b.last = now
		_ = b.control.SetReadDeadline(now.Add(stallTime))
	}
	count, err := b.ReadCloser.Read(into)
	b.bytes += int64(count)
	if errors.Is(err, io.EOF) {
		// The connection may have another request. A body that is left unread keeps its deadline: what is left is read and
		// thrown away.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return count, err
}

// watchedWriter ends an answer that its client does not take, and counts its bytes.
type watchedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	bytes   int64
	last    time.Time
}

func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watchedWriter) WriteHeader(status int) {
	w.alive()
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// alive gives the client time to take what comes next.
func (w *watchedWriter) alive() {
	if now := time.Now(); now.Sub(w.last) > time.Second {
		w.last = now
		_ = w.control.SetWriteDeadline(now.Add(stallTime))
	}
}

func (w *watchedWriter) Write(from []byte) (int, error) {
	w.alive()
	if w.status == 0 {
		w.status = http.StatusOK
	}
	count, err := w.ResponseWriter.Write(from)
	w.bytes += int64(count)
	return count, err
}

// fault is an answer in S3's form.
type fault struct {
	status  int
	code    string
	message string
}

var (
	busyFault   = fault{http.StatusServiceUnavailable, "SlowDown", "Too much is under way: try again later."}
	brokenFault = fault{http.StatusBadGateway, "InternalError", "The request was broken off: try again."}
)

func (f *fault) Error() string { return f.message }

func (f *fault) write(writer http.ResponseWriter, request *http.Request) {
	writer.Header().Set("Content-Type", "application/xml")
	writer.WriteHeader(f.status)
	if request.Method != http.MethodHead {
		fmt.Fprintf(writer, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", f.code, f.message)
	}
}
