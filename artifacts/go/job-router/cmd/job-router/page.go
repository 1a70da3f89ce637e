package main

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
)

// refusal is an answer of the router itself.
type refusal struct {
	// For metrics: one word.
	end    string
	status int
	title  string
	words  string
	// Seconds after which it may be otherwise; 0: it will not.
	again int
	// The page of a browser asks again by itself.
	reload bool
	// A link of the page.
	link string
}

// wantsPage tells whether a person looks at the answer: a navigation of a browser.
func wantsPage(request *http.Request) bool {
	mode := request.Header.Get("Sec-Fetch-Mode")
	return strings.Contains(request.Header.Get("Accept"), "text/html") && (mode == "" || mode == "navigate")
}

func (r refusal) write(writer http.ResponseWriter, request *http.Request) {
	header := writer.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.again > 0 {
		header.Set("Retry-After", fmt.Sprint(r.again))
	}
	if r.status == http.StatusUnauthorized {
		header.Set("WWW-Authenticate", `Bearer realm="delos"`)
	}
	if !wantsPage(request) {
		header.Set("Content-Type", "application/json")
		writer.WriteHeader(r.status)
		_ = json.NewEncoder(writer).Encode(map[string]string{"error": r.words, "code": "ERR_JOB_" + strings.ToUpper(r.end)})
		return
	}
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	refresh, link := "", ""
	if r.reload {
		refresh = `<meta http-equiv="refresh" content="2">` + "\n"
	}
	if r.link != "" {
		link = fmt.Sprintf("<p><a href=\"%s\">Go on</a></p>\n", html.EscapeString(r.link))
	}
	writer.WriteHeader(r.status)
	_, _ = fmt.Fprintf(writer, page, refresh, html.EscapeString(r.title), html.EscapeString(r.title), html.EscapeString(r.words), link)
}

const page = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
%s<title>%s</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:42rem;margin:4rem auto;padding:0 1rem}</style>
<h1>%s</h1>
<p>%s</p>
%s</html>
`

// What the router says. A job that the caller may not see is answered as one that does not exist.
var (
	noJob = refusal{
		end: "unknown", status: http.StatusNotFound, title: "No such job",
		words: "There is no job at this address, or you may not read it.",
	}
	noLogin = refusal{
		end: "login", status: http.StatusUnauthorized, title: "Log in",
		words: "This job is for people who log in. Show a token of the platform (Authorization: Bearer …), or open it in a browser.",
	}
	crossSite = refusal{
		end: "crosssite", status: http.StatusForbidden, title: "Asked by another page",
		words: "A page of another address asked with your login. Only the job's own pages may.",
	}
	notAsked = refusal{
		end: "platform", status: http.StatusServiceUnavailable, title: "One moment", again: 2, reload: true,
		words: "The platform cannot be asked about this job now. Try again in a moment.",
	}
	tooOften = refusal{
		end: "limit", status: http.StatusTooManyRequests, title: "Too many requests", again: 5, reload: true,
		words: "You ask too often. Try again in a few seconds.",
	}
	tooLarge = refusal{
		end: "large", status: http.StatusRequestEntityTooLarge, title: "The request is too large",
		words: fmt.Sprintf("The request is larger than %d GiB, the most that is taken here.", maxBodyBytes>>30),
	}
	tooMany = refusal{
		end: "busy", status: http.StatusServiceUnavailable, title: "Too many requests at once", again: 2, reload: true,
		words: fmt.Sprintf("More than %d requests and streams of this job are under way.", mostOfJob),
	}
	notAnswering = refusal{
		end: "silent", status: http.StatusServiceUnavailable, title: "The job does not answer yet", again: 1, reload: true,
		words: "The job runs, and nothing in it answers at its port yet. This page asks again by itself.",
	}
	brokenOff = refusal{
		end: "broken", status: http.StatusBadGateway, title: "The job broke off",
		words: "The job took the request and gave no answer.",
	}
)

func waiting(found route) refusal {
	return refusal{
		end: "waiting", status: http.StatusServiceUnavailable, title: "The job is not running yet", again: 2, reload: true,
		words: strings.TrimSpace("The job is not running yet. " + found.Words),
	}
}

func ended(found route) refusal {
	return refusal{
		end: "ended", status: http.StatusGone, title: "The job is over",
		words: strings.TrimSpace("The job is over. " + found.Words),
	}
}
