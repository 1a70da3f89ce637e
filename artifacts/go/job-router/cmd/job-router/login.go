package main

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

/*
 * A login by the browser: code flow with PKCE (RFC 7636) at the platform's origin, and a cookie at the job's.
 *
 *   job      GET /x                      a nonce in a cookie of this host; to the platform with its digest, sealed
 *   platform GET LOGIN/start?to=…        a binding in a cookie of the platform; to the realm with a sealed state
 *   realm    …                           the person logs in, or is logged in already
 *   platform GET LOGIN/callback?code=…   the state is of this browser; code → tokens; to the job with a sealed ticket
 *   job      GET /.delos/login?ticket=…  the ticket is of this browser and of this host; the session's cookie; to /x
 *
 * Nothing is kept here: each step opens what the one before has sealed. No address comes from the visitor, so that no step leads
 * anywhere but to a job's host.
 */

const (
	ticketPath    = "/.delos/login"
	loginLasts    = 10 * time.Minute
	ticketLasts   = time.Minute
	sessionLasts  = 12 * time.Hour
	refusedLasts  = 10 * time.Second
	tokenTime     = 10 * time.Second
	maxTokenBytes = 64 * 1024
	// Longest path, with its query, that one comes back to.
	maxPathBytes = 1024
	mostSessions = 4096
)

// begun is a login under way: where it leads, and in which browser it began.
type begun struct {
	Host  string `json:"h"`
	Path  string `json:"p"`
	Nonce string `json:"n"`
}

type stateOf struct {
	begun
	Binding  string `json:"b"`
	Verifier string `json:"v"`
}

type ticketOf struct {
	begun
	Refresh string `json:"r"`
}

type sessionOf struct {
	Host    string `json:"h"`
	Refresh string `json:"r"`
}

type login struct {
	settings
	client *http.Client
	// Refresh token, as a digest → access token; empty: the realm takes it no more.
	tokens *cache[string]
	seen   *metrics
}

func newLogin(given settings, seen *metrics) *login {
	return &login{given, &http.Client{Timeout: tokenTime}, newCache[string](mostSessions), seen}
}

// begin sends a browser to log in, and back to where it is now.
func (l *login) begin(writer http.ResponseWriter, request *http.Request, host string) {
	nonce := cookieIn(request, l.cookie(nonceCookie))
	// Of a login that another tab has begun.
	if len(nonce) < 43 {
		nonce = random()
	}
	path := request.URL.RequestURI()
	if len(path) > maxPathBytes || !strings.HasPrefix(path, "/") {
		path = "/"
	}
	to, err := seal(l.seal, "start", begun{host, path, digest(nonce)}, loginLasts)
	if err != nil {
		notAsked.write(writer, request)
		return
	}
	l.setCookie(writer, nonceCookie, nonce, loginLasts)
	redirect(writer, l.publicURL.String()+l.loginPath+"/start?to="+to)
}

// atPlatform answers at the platform's origin. @returns false for any other path
func (l *login) atPlatform(writer http.ResponseWriter, request *http.Request) bool {
	step, ours := strings.CutPrefix(request.URL.Path, l.loginPath)
	if !ours || request.Method != http.MethodGet || step != "/start" && step != "/callback" {
		return false
	}
	if step == "/start" {
		l.start(writer, request)
	} else {
		l.callback(writer, request)
	}
	return true
}

func (l *login) start(writer http.ResponseWriter, request *http.Request) {
	to, err := open[begun](l.seal, "start", request.URL.Query().Get("to"))
	if err != nil {
		expired("").write(writer, request)
		return
	}
	binding := cookieIn(request, l.cookie(nonceCookie))
	if len(binding) < 43 {
		binding = random()
	}
	verifier := random()
	state, err := seal(l.seal, "state", stateOf{to, digest(binding), verifier}, loginLasts)
	if err != nil {
		notAsked.write(writer, request)
		return
	}
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"response_type":         {"code"},
		"client_id":             {l.settings.client},
		"redirect_uri":          {l.callbackURL()},
		"scope":                 {"openid"},
		"state":                 {state},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	l.setCookie(writer, nonceCookie, binding, loginLasts)
	redirect(writer, l.issuer+"/protocol/openid-connect/auth?"+query.Encode())
}

func (l *login) callback(writer http.ResponseWriter, request *http.Request) {
	query := request.URL.Query()
	state, err := open[stateOf](l.seal, "state", query.Get("state"))
	if err != nil {
		expired("").write(writer, request)
		return
	}
	again := l.origin(state.Host) + state.Path
	if !same(digest(cookieIn(request, l.cookie(nonceCookie))), state.Binding) {
		expired(again).write(writer, request)
		return
	}
	if refused := query.Get("error"); refused != "" {
		refusal{
			end: "login", status: http.StatusForbidden, title: "Not logged in", link: again,
			words: "The identity service let nobody log in.",
		}.write(writer, request)
		return
	}
	found, err := l.ask(request.Context(), url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {query.Get("code")},
		"redirect_uri":  {l.callbackURL()},
		"client_id":     {l.settings.client},
		"code_verifier": {state.Verifier},
	})
	if err != nil {
		unasked(err).write(writer, request)
		return
	}
	if found.Refresh == "" {
		expired(again).write(writer, request)
		return
	}
	l.tokens.put(digest(found.Refresh), found.Access, found.lasts())
	ticket, err := seal(l.seal, "ticket", ticketOf{state.begun, found.Refresh}, ticketLasts)
	if err != nil {
		notAsked.write(writer, request)
		return
	}
	l.setCookie(writer, nonceCookie, "", -1)
	redirect(writer, l.origin(state.Host)+ticketPath+"?ticket="+ticket)
}

// atJob takes the ticket at the job's own host. @returns false for any other path, which is the job's
func (l *login) atJob(writer http.ResponseWriter, request *http.Request, host string) bool {
	if request.URL.Path != ticketPath {
		return false
	}
	ticket, err := open[ticketOf](l.seal, "ticket", request.URL.Query().Get("ticket"))
	if err != nil || request.Method != http.MethodGet || ticket.Host != host {
		expired("/").write(writer, request)
		return true
	}
	if !same(digest(cookieIn(request, l.cookie(nonceCookie))), ticket.Nonce) {
		expired(l.origin(host)+ticket.Path).write(writer, request)
		return true
	}
	session, err := seal(l.seal, "session", sessionOf{host, ticket.Refresh}, sessionLasts)
	if err != nil {
		notAsked.write(writer, request)
		return true
	}
	l.setCookie(writer, sessionCookie, session, sessionLasts)
	l.setCookie(writer, nonceCookie, "", -1)
	// A whole address: a path that begins with two slashes would lead elsewhere.
	redirect(writer, l.origin(host)+ticket.Path)
	return true
}

// session is the access token of whoever has logged in to this host; empty for nobody.
func (l *login) session(request *http.Request, host string) (string, error) {
	text := cookieIn(request, l.cookie(sessionCookie))
	if text == "" {
		return "", nil
	}
	session, err := open[sessionOf](l.seal, "session", text)
	if err != nil || session.Host != host {
		return "", nil
	}
	return l.tokens.get(digest(session.Refresh), 0, func() (string, time.Duration, error) {
		found, err := l.ask(request.Context(), url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {session.Refresh},
			"client_id":     {l.settings.client},
		})
		return found.Access, found.lasts(), err
	})
}

// tokens of the realm.
type realmTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Seconds int    `json:"expires_in"`
}

// lasts is for how long the access token is shown: a little shorter than it is good.
func (t realmTokens) lasts() time.Duration {
	if t.Access == "" {
		return refusedLasts
	}
	return max(time.Second, time.Duration(t.Seconds-30)*time.Second)
}

// ask trades a code or a refresh token. What the realm refuses has no tokens.
func (l *login) ask(ctx context.Context, form url.Values) (realmTokens, error) {
	var found realmTokens
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tokenTime)
	defer cancel()
	at := l.realmURL.String() + "/protocol/openid-connect/token"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(form.Encode()))
	if err != nil {
		return found, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := l.client.Do(request)
	if err != nil {
		l.seen.questions.WithLabelValues("login", "failed").Inc()
		return found, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxTokenBytes))
	if err != nil || answer.StatusCode >= 500 {
		l.seen.questions.WithLabelValues("login", "failed").Inc()
		return found, fmt.Errorf("the identity service answers %d: %v", answer.StatusCode, err)
	}
	l.seen.questions.WithLabelValues("login", "answered").Inc()
	if answer.StatusCode != http.StatusOK {
		return found, nil
	}
	return found, json.Unmarshal(body, &found)
}

func (l *login) callbackURL() string { return l.publicURL.String() + l.loginPath + "/callback" }

// setCookie sets a cookie of this host alone; one that lasts less than nothing goes.
func (l *login) setCookie(writer http.ResponseWriter, name, value string, lasts time.Duration) {
	age := int(lasts.Seconds())
	if lasts < 0 {
		age = -1
	}
	http.SetCookie(writer, &http.Cookie{
		Name:     l.cookie(name),
		Value:    value,
		Path:     "/",
		MaxAge:   age,
		Secure:   l.secure(),
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
}

func redirect(writer http.ResponseWriter, to string) {
	header := writer.Header()
	header.Set("Location", to)
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	writer.WriteHeader(http.StatusFound)
}

func expired(again string) refusal {
	return refusal{
		end: "expired", status: http.StatusBadRequest, title: "This login is over", link: again,
		words: "This login was begun in another browser, or too long ago. Open the job's address once more.",
	}
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
