package main

import (
	"net/url"
	"strings"

	"golang.org/x/sys/unix"
)

// prefix is the path of the platform's origin below which storage is.
const prefix = "/api/v1/storage"

// place is what a path of the storage names: nothing (the list of organizations), an organization, a project, or a file or folder
// in a project.
type place struct {
	org, project string
	// Names below the project's folder, none of them empty, `.` or `..`.
	names []string
}

// parsePlace reads an escaped path. `.` and `..` are taken away before anything is looked up, and `..` never leads above the root,
// as in any URL (RFC 3986, 5.2.4): the kernel is never shown one.
func parsePlace(escaped string) (place, error) {
	var names []string
	for _, part := range strings.Split(escaped, "/") {
		name, err := url.PathUnescape(part)
		if err != nil || strings.ContainsAny(name, "/\x00") {
			return place{}, unix.EINVAL
		}
		switch name {
		case "", ".":
		case "..":
			names = names[:max(0, len(names)-1)]
		default:
			names = append(names, name)
		}
	}
	return placeOf(names), nil
}

// parsePlain reads a path that is not escaped, as the destination of a move.
func parsePlain(path string) (place, error) {
	var parts []string
	for _, part := range strings.Split(path, "/") {
		parts = append(parts, url.PathEscape(part))
	}
	return parsePlace(strings.Join(parts, "/"))
}

func placeOf(names []string) place {
	var at place
	if len(names) > 0 {
		at.org = names[0]
	}
	if len(names) > 1 {
		at.project = names[1]
		at.names = names[2:]
	}
	return at
}

// inProject says whether it names a file or folder in a project, or the project's own folder.
func (p place) inProject() bool { return p.project != "" }

func (p place) isProject() bool { return p.project != "" && len(p.names) == 0 }

// path is how the client knows it: `/ORG/PROJECT/PATH`.
func (p place) path() string {
	text := ""
	for _, name := range append([]string{p.org, p.project}, p.names...) {
		if name != "" {
			text += "/" + name
		}
	}
	if text == "" {
		return "/"
	}
	return text
}

// below is the path in the project, for the kernel.
func below(names []string) string {
	if len(names) == 0 {
		return "."
	}
	return strings.Join(names, "/")
}

// unprefixed takes the path of the public origin away. Its dots are gone first, so that no path ends elsewhere.
func unprefixed(escaped string) (string, bool) {
	at, err := parsePlace(escaped)
	if err != nil {
		// Refused with its errno, where it is ours at all.
		return strings.CutPrefix(escaped, prefix)
	}
	want := strings.Split(strings.Trim(prefix, "/"), "/")
	names := append([]string{at.org, at.project}, at.names...)
	if len(names) < len(want) {
		return "", false
	}
	for nth, name := range want {
		if names[nth] != name {
			return "", false
		}
	}
	rest := ""
	for _, name := range names[len(want):] {
		rest += "/" + url.PathEscape(name)
	}
	return rest, true
}
