package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

// Cookies of ours. With TLS they have the prefix by which browsers let no other host set them (RFC 6265bis, 4.1.3.2).
const (
	hostPrefix    = "__Host-"
	sessionCookie = "delos-job"
	nonceCookie   = "delos-job-login"
)

func (s settings) cookie(name string) string {
	if s.secure() {
		return hostPrefix + name
	}
	return name
}

// isOurs tells whether a cookie's name is one that jobs neither see nor set.
func isOurs(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	name = strings.TrimPrefix(name, strings.ToLower(hostPrefix))
	return name == sessionCookie || strings.HasPrefix(name, sessionCookie+"-")
}

// foreignCookies takes our cookies out of a request.
func foreignCookies(header http.Header) {
	lines := header.Values("Cookie")
	if len(lines) == 0 {
		return
	}
	var left []string
	for _, line := range lines {
		for _, pair := range strings.Split(line, ";") {
			name, _, _ := strings.Cut(pair, "=")
			if pair = strings.TrimSpace(pair); pair != "" && !isOurs(name) {
				left = append(left, pair)
			}
		}
	}
	header.Del("Cookie")
	if len(left) > 0 {
		header.Set("Cookie", strings.Join(left, "; "))
	}
}

// cookieIn is the value of our cookie, where there is exactly one: of two, one may be planted.
func cookieIn(request *http.Request, name string) string {
	found := ""
	for _, one := range request.CookiesNamed(name) {
		if found != "" && found != one.Value {
			return ""
		}
		found = one.Value
	}
	return found
}

// onlyOwnCookies has an answer set cookies for the job's own host alone: the attribute Domain is taken out, and what has the
// name of a cookie of ours is left out.
func onlyOwnCookies(header http.Header) {
	given := header.Values("Set-Cookie")
	header.Del("Set-Cookie2")
	if len(given) == 0 {
		return
	}
	header.Del("Set-Cookie")
	for _, line := range given {
		parts := strings.Split(line, ";")
		name, _, named := strings.Cut(parts[0], "=")
		// A cookie without a name is sent as its value alone, which could look like one of ours.
		if !named || isOurs(name) || strings.TrimSpace(name) == "" {
			continue
		}
		left := parts[:1]
		for _, part := range parts[1:] {
			key, _, _ := strings.Cut(part, "=")
			if !strings.EqualFold(strings.TrimSpace(key), "domain") {
				left = append(left, part)
			}
		}
		header.Add("Set-Cookie", strings.Join(left, ";"))
	}
}

// forwarded are headers that say how a request came, in any spelling that a program may take for them.
func forwarded(name string) bool {
	name = strings.ReplaceAll(strings.ToLower(name), "_", "-")
	switch name {
	case "forwarded", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "true-client-ip", "x-original-url", "x-original-host",
		"x-rewrite-url", "x-host", "x-remote-user", "remote-user", "x-auth-request-user":
		return true
	}
	return strings.HasPrefix(name, "x-forwarded") || strings.HasPrefix(name, "x-delos-")
}

// asItCame has the job see what the gateway says of the request, and nothing that the visitor says of it.
func asItCame(in, out http.Header, host, scheme string) {
	for name := range out {
		if forwarded(name) {
			delete(out, name)
		}
	}
	visitor := visitorOf(in)
	if visitor != "" {
		out.Set("X-Forwarded-For", visitor)
		out.Set("X-Real-Ip", visitor)
	}
	out.Set("X-Forwarded-Proto", scheme)
	out.Set("X-Forwarded-Host", host)
}

// visitorOf is where a request comes from, as the gateway says: it takes no such header from visitors.
func visitorOf(in http.Header) string {
	first, _, _ := strings.Cut(in.Get("X-Forwarded-For"), ",")
	return strings.TrimSpace(first)
}

// schemeOf is how the visitor reached the gateway.
func schemeOf(in http.Header) string {
	if in.Get("X-Forwarded-Proto") == "https" {
		return "https"
	}
	return "http"
}

// bearer is the token of a request that shows one; empty otherwise.
func bearer(header http.Header) string {
	scheme, token, _ := strings.Cut(header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// isPlatformToken tells whether a text claims to be a token of the platform's realm. Nothing is checked: it is for not handing
// one on.
func isPlatformToken(token, issuer string) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return false
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	return json.Unmarshal(data, &claims) == nil && claims.Issuer == issuer
}

// withoutPlatformTokens takes tokens of the platform out of what a job gets, be they shown as they are or as a password.
func withoutPlatformTokens(header http.Header, issuer string) {
	var left []string
	for _, value := range header.Values("Authorization") {
		scheme, text, _ := strings.Cut(strings.TrimSpace(value), " ")
		text = strings.TrimSpace(text)
		if strings.EqualFold(scheme, "Basic") {
			if plain, err := base64.StdEncoding.DecodeString(text); err == nil {
				_, text, _ = strings.Cut(string(plain), ":")
			}
		}
		if !isPlatformToken(text, issuer) {
			left = append(left, value)
		}
	}
	header.Del("Authorization")
	for _, value := range left {
		header.Add("Authorization", value)
	}
	header.Del("Proxy-Authorization")
}

// ownAnswer takes out of a job's answer what reaches beyond its own host.
func ownAnswer(header http.Header) {
	onlyOwnCookies(header)
	// It would clear the cookies of the whole site, the platform's too.
	header.Del("Clear-Site-Data")
	// Where the host is reached is the gateway's to say.
	header.Del("Alt-Svc")
	// No page of a job can join another's origin by document.domain.
	header.Set("Origin-Agent-Cluster", "?1")
}
