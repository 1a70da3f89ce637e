package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// Requests and streams of one job that are under way.
	mostOfJob = 200
	dialTime  = 3 * time.Second
	lostTime  = 15 * time.Second
	// Of Linux; the package syscall does not name it.
	tcpUserTimeout = 18
	answerTime     = time.Hour
	copyBuffer     = 32 * 1024
	mostIdle       = 16
	mostAllIdle    = 128
)

// router passes requests to jobs.
type router struct {
	settings
	platform *platform
	login    *login
	seen     *metrics
	proxy    *httputil.ReverseProxy
	mutex    sync.Mutex
	underWay map[string]int
}

func newRouter(given settings, platform *platform, seen *metrics) *router {
	r := &router{settings: given, platform: platform, seen: seen, underWay: make(map[string]int)}
	r.login = newLogin(given, seen)
	dialer := &net.Dialer{Timeout: dialTime, KeepAlive: 10 * time.Second, Control: watched}
	transport := &http.Transport{
		DialContext:           dialer.DialContext,
		MaxIdleConns:          mostAllIdle,
		MaxIdleConnsPerHost:   mostIdle,
		IdleConnTimeout:       30 * time.Second,
		ResponseHeaderTimeout: answerTime,
		ExpectContinueTimeout: time.Second,
		DisableCompression:    true,
	}
	r.proxy = &httputil.ReverseProxy{
		Rewrite:        r.rewrite,
		Transport:      newToJobs(transport),
		FlushInterval:  -1,
		BufferPool:     &pool{},
		ModifyResponse: func(answer *http.Response) error { ownAnswer(answer.Header); return nil },
		ErrorHandler:   r.failed,
		ErrorLog:       log.Default(),
	}
	return r
}

// watched gives a connection up whose other end acknowledges nothing: the job has gone with its node (tcp(7), TCP_USER_TIMEOUT).
func watched(_, _ string, connection syscall.RawConn) error {
	var err error
	failed := connection.Control(func(file uintptr) {
		err = syscall.SetsockoptInt(int(file), syscall.IPPROTO_TCP, tcpUserTimeout, int(lostTime.Milliseconds()))
	})
	return errors.Join(failed, err)
}

// target is where a request goes, kept in its context.
type target struct{ address, host string }

type targetKey struct{}

func (r *router) ServeHTTP(plain http.ResponseWriter, request *http.Request) {
	writer := &answered{ResponseWriter: plain, status: http.StatusOK}
	defer func() { r.seen.answers.WithLabelValues(strconv.Itoa(writer.status)).Inc() }()
	host := hostOf(request.Host)
	label, ours := strings.CutSuffix(host, "."+r.jobsDomain)
	if !ours {
		if !r.login.atPlatform(writer, request) {
			r.refuse(writer, request, noJob)
		}
		return
	}
	if r.login.atJob(writer, request, host) {
		return
	}
	if label == "" || strings.Contains(label, ".") {
		r.refuse(writer, request, noJob)
		return
	}
	found, err := r.platform.of(request.Context(), label, visitorOf(request.Header))
	if err != nil {
		r.refuse(writer, request, unasked(err))
		return
	}
	if found.Job == "" || found.Login {
		if !r.admit(writer, request, host, found) {
			return
		}
	}
	r.lead(writer, request, host, found)
}

// admit lets those in who may see the job. Whoever shows nothing is asked to log in, be there a job or not.
func (r *router) admit(writer http.ResponseWriter, request *http.Request, host string, found route) bool {
	token, byCookie, err := r.token(request, host)
	if err != nil {
		r.refuse(writer, request, unasked(err))
		return false
	}
	if token == "" {
		r.askLogin(writer, request, host)
		return false
	}
	if byCookie && fromElsewhere(request, host) {
		r.refuse(writer, request, crossSite)
		return false
	}
	job := found.Job
	if job == "" {
		job = "none"
	}
	may, err := r.platform.may(request.Context(), token, job, visitorOf(request.Header))
	switch {
	case err != nil:
		r.refuse(writer, request, unasked(err))
	case may == unknown && byCookie:
		r.askLogin(writer, request, host)
	case may == unknown:
		r.refuse(writer, request, noLogin)
	case may == forbidden || found.Job == "":
		r.refuse(writer, request, noJob)
	default:
		return true
	}
	return false
}

// token is what a visitor shows: a token of the platform in the header, or else the job's cookie.
func (r *router) token(request *http.Request, host string) (string, bool, error) {
	if shown := bearer(request.Header); shown != "" && isPlatformToken(shown, r.issuer) {
		return shown, false, nil
	}
	token, err := r.login.session(request, host)
	return token, true, err
}

func (r *router) askLogin(writer http.ResponseWriter, request *http.Request, host string) {
	navigates := request.Method == http.MethodGet && wantsPage(request) && request.Header.Get("Upgrade") == ""
	if !navigates || request.Header.Get("Authorization") != "" {
		r.refuse(writer, request, noLogin)
		return
	}
	r.seen.requests.WithLabelValues("tologin").Inc()
	r.login.begin(writer, request, host)
}

// lead passes a request on to the job's Pod, or says why there is none.
func (r *router) lead(writer http.ResponseWriter, request *http.Request, host string, found route) {
	switch {
	case found.State == "waiting" || found.State == "running" && found.Address == "":
		r.refuse(writer, request, waiting(found))
		return
	case found.State != "running":
		r.refuse(writer, request, ended(found))
		return
	}
	if !r.enter(found.Job) {
		r.refuse(writer, request, tooMany)
		return
	}
	defer r.leave(found.Job)
	to := target{net.JoinHostPort(found.Address, strconv.Itoa(found.Port)), host}
	request = request.WithContext(context.WithValue(request.Context(), targetKey{}, to))
	r.seen.requests.WithLabelValues("passed").Inc()
	r.proxy.ServeHTTP(writer, request)
}

func (r *router) rewrite(proxied *httputil.ProxyRequest) {
	to, _ := proxied.In.Context().Value(targetKey{}).(target)
	out := proxied.Out
	out.URL.Scheme = "http"
	out.URL.Host = to.address
	// As it came: what Go cannot read of a query is the job's concern.
	out.URL.RawQuery = proxied.In.URL.RawQuery
	out.Host = proxied.In.Host
	foreignCookies(out.Header)
	withoutPlatformTokens(out.Header, r.issuer)
	asItCame(proxied.In.Header, out.Header, proxied.In.Host, schemeOf(proxied.In.Header))
}

func (r *router) failed(writer http.ResponseWriter, request *http.Request, err error) {
	if request.Context().Err() != nil {
		// The visitor has gone.
		writer.WriteHeader(499)
		return
	}
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		r.refuse(writer, request, tooLarge)
		return
	}
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		r.refuse(writer, request, notAnswering)
		return
	}
	r.refuse(writer, request, brokenOff)
}

func (r *router) refuse(writer http.ResponseWriter, request *http.Request, why refusal) {
	r.seen.requests.WithLabelValues(why.end).Inc()
	why.write(writer, request)
}

func (r *router) enter(job string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.underWay[job] >= mostOfJob {
		return false
	}
	r.underWay[job]++
	r.seen.underWay.Inc()
	return true
}

func (r *router) leave(job string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.underWay[job]--; r.underWay[job] == 0 {
		delete(r.underWay, job)
	}
	r.seen.underWay.Dec()
}

// fromElsewhere tells whether a page of another origin asks with somebody's cookie. Browsers say so themselves: hosts of jobs are
// of one site, so that SameSite alone does not keep them apart.
func fromElsewhere(request *http.Request, host string) bool {
	reads := request.Method == http.MethodGet || request.Method == http.MethodHead
	upgrade := request.Header.Get("Upgrade") != ""
	if given := request.Header.Get("Origin"); given != "" && (upgrade || !reads) {
		// By TLS and without, at whatever port, it is the same job.
		parsed, err := url.Parse(given)
		if err != nil || hostOf(parsed.Host) != host {
			return true
		}
	}
	switch request.Header.Get("Sec-Fetch-Site") {
	case "cross-site", "same-site":
		top := request.Header.Get("Sec-Fetch-Mode") == "navigate" && request.Header.Get("Sec-Fetch-Dest") == "document"
		return upgrade || !reads || !top
	}
	return false
}

func unasked(err error) refusal {
	if errors.Is(err, errTooOften) {
		return tooOften
	}
	log.Print(err)
	return notAsked
}

// hostOf is a name without its port, in small letters.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// answered keeps the status, and lets no answer through before the one that counts (RFC 9110, 15.2): a job's early hints would
// come with headers that nobody has looked at.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	if status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// pool keeps the buffers that answers are copied by.
type pool struct{ sync.Pool }

func (p *pool) Get() []byte {
	if found, ok := p.Pool.Get().(*[]byte); ok {
		return *found
	}
	return make([]byte, copyBuffer)
}

func (p *pool) Put(data []byte) { p.Pool.Put(&data) }
