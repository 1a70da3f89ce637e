package main

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxKeyBytes is S3's own limit.
	maxKeyBytes = 1024
	// maxPartBytes is a file system's limit of one name.
	maxPartBytes = 255
	// Names that begin so are the server's own.
	ownFolder = ".sgwtmp"
)

// keyFault says why a key cannot be one of an object; "" where it can. A key is a path below the folder of its bucket. So
// it has no part that leads elsewhere, none that is empty, and none that is the server's own. One slash at its end is allowed.
func keyFault(key string) string {
	if len(key) > maxKeyBytes {
		return "it has more than 1024 bytes"
	}
	if !utf8.ValidString(key) {
		return "it is not UTF-8"
	}
	if strings.ContainsFunc(key, notInXML) {
		return "it has a character that no list could show, as XML has none such"
	}
	parts := strings.Split(strings.TrimSuffix(key, "/"), "/")
	for _, part := range parts {
		switch {
		case part == "":
			return "it has an empty part: a key does not begin with a slash, and has no two in a row"
		case part == "." || part == "..":
			return "it has the part . or .."
		case strings.HasPrefix(part, ownFolder):
			return "one of its parts begins with " + ownFolder
		case len(part) > maxPartBytes:
			return "one of its parts has more than 255 bytes"
		}
	}
	return ""
}

// notInXML says whether XML 1.0 cannot have a character.
func notInXML(char rune) bool {
	return char < ' ' && char != '\t' && char != '\n' && char != '\r' || char == 0xFFFE || char == 0xFFFF
}

// prefixFault says why no key can begin so; "" where one can. The last part may be the beginning of one.
func prefixFault(prefix string) string {
	if prefix == "" {
		return ""
	}
	complete := strings.TrimSuffix(prefix, "/") != prefix
	parts := strings.Split(strings.TrimSuffix(prefix, "/"), "/")
	if last := parts[len(parts)-1]; !complete && (last == "" || last == "." || last == "..") {
		// It may go on: ..a is a name.
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 0 {
		return ""
	}
	return keyFault(strings.Join(parts, "/"))
}
