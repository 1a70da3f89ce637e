package main

import (
	"net/http"
	"net/url"
	"strings"
)

// what is a request, as far as it decides what may be done and what it costs.
type what struct {
	// Why the path is none; "" for one that is.
	fault  string
	long   bool
	bucket string
	key    string
	query  url.Values
	// The query as it is written cannot be read.
	badQuery bool
	lists    bool
	// The body is an object's, or a part of one.
	streams bool
}

// Names in queries that are offered, beside those of signatures and of headers of the answer.
var offered = map[string]string{
	// Listings.
	"list-type": "GET", "prefix": "GET", "delimiter": "GET", "marker": "GET", "start-after": "GET", "continuation-token": "GET",
	"max-keys": "GET", "encoding-type": "GET", "fetch-owner": "GET",
	// Uploads in parts.
	"uploads": "GET POST", "uploadId": "GET PUT POST DELETE", "partNumber": "GET HEAD PUT", "max-parts": "GET", "part-number-marker": "GET",
	"key-marker": "GET", "upload-id-marker": "GET", "max-uploads": "GET",
	// More of buckets and objects.
	"delete": "POST", "policy": "GET PUT DELETE", "policyStatus": "GET", "location": "GET", "versioning": "GET",
	"tagging": "GET PUT DELETE", "cors": "GET PUT DELETE", "attributes": "GET",
	"max-buckets": "GET", "x-id": "GET HEAD PUT POST DELETE",
}

// Headers that are kept with an object, beside x-amz-meta-*.
var keptHeaders = []string{
	"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Expires", "X-Amz-Tagging",
	"X-Amz-Website-Redirect-Location",
}

// publicPrefix is where the platform's one origin has the buckets. Without it they are served as well: inside the cluster
// clients need no path. No bucket has this name, since names have three characters at least.
const publicPrefix = "/s3"

func withoutPrefix(path string) string {
	if path == publicPrefix {
		return "/"
	}
	if strings.HasPrefix(path, publicPrefix+"/") {
		return strings.TrimPrefix(path, publicPrefix)
	}
	return path
}

// whatOf reads a request. Path and query are read once, as the server behind does it.
func whatOf(request *http.Request) what {
	raw, rawQuery, _ := strings.Cut(request.RequestURI, "?")
	path, err := url.PathUnescape(withoutPrefix(raw))
	if err != nil {
		return what{fault: "its escapes are wrong"}
	}
	var found what
	found.bucket, found.key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case found.bucket == "" && found.key != "":
		found.fault = "it names no bucket"
	case found.bucket != "" && !bucketForm.MatchString(found.bucket):
		found.fault = "no bucket has such a name"
	case found.key != "":
		found.fault = keyFault(found.key)
		found.long = len(found.key) > maxKeyBytes
	}
	found.query, err = url.ParseQuery(rawQuery)
	found.badQuery = err != nil
	found.lists = request.Method == http.MethodGet && found.bucket != "" && found.key == "" &&
		!found.has("policy", "policyStatus", "location", "versioning", "tagging", "cors")
	found.streams = request.Method == http.MethodPut && found.key != "" && !found.has("tagging")
	return found
}

func (w what) has(names ...string) bool {
	for _, name := range names {
		if w.query.Has(name) {
			return true
		}
	}
	return false
}

// signed says whether the request claims to be somebody's.
func (w what) signed(request *http.Request) bool {
	return request.Header.Get("Authorization") != "" || w.has("X-Amz-Signature")
}

// refused says why the request is not passed on; nil where it is.
func (w what) refused(request *http.Request) *fault {
	switch request.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete, http.MethodOptions:
	default:
		return &fault{http.StatusMethodNotAllowed, "MethodNotAllowed", "This method is not offered."}
	}
	switch {
	case w.long:
		return &fault{http.StatusBadRequest, "KeyTooLongError", "Your key is too long: it may have 1024 bytes."}
	case w.fault != "":
		return &fault{http.StatusBadRequest, "InvalidArgument", "The path is no object's: " + w.fault + "."}
	case w.badQuery:
		return &fault{http.StatusBadRequest, "InvalidArgument", "The query cannot be read."}
	}
	for name := range w.query {
		methods, known := offered[name]
		if strings.HasPrefix(name, "X-Amz-") || strings.HasPrefix(name, "response-") {
			continue
		}
		if !known || !strings.Contains(methods, request.Method) && request.Method != http.MethodOptions {
			return &fault{http.StatusNotImplemented, "NotImplemented", "The query has something that is not offered here."}
		}
	}
	if request.Method == http.MethodPost && !w.has("uploads", "uploadId", "delete") {
		return &fault{http.StatusNotImplemented, "NotImplemented", "Uploads by forms are not offered: use a presigned PUT."}
	}
	return w.bodyRefused(request)
}

func (w what) bodyRefused(request *http.Request) *fault {
	if request.ContentLength < 0 {
		return &fault{http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header."}
	}
	most := int64(maxListBytes)
	if w.streams {
		most = maxObjectBytes
	}
	if request.Method == http.MethodGet || request.Method == http.MethodHead || request.Header.Get("X-Amz-Copy-Source") != "" {
		most = 0
	}
	if request.ContentLength > most {
		return &fault{http.StatusBadRequest, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size."}
	}
	kept := 0
	for name, values := range request.Header {
		if strings.HasPrefix(name, "X-Amz-Meta-") {
			kept += len(name) - len("X-Amz-Meta-")
			for _, value := range values {
				kept += len(value)
			}
		}
	}
	for _, name := range keptHeaders {
		kept += len(request.Header.Get(name))
	}
	if kept > maxMetadataBytes {
		return &fault{http.StatusBadRequest, "MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size of 2048 bytes."}
	}
	return nil
}

// buffered is how much of a body the server reads as a whole.
func (w what) buffered(request *http.Request) int64 {
	if w.streams {
		return 0
	}
	return request.ContentLength
}

// name is one of a few words, for metrics.
func (w what) name() string {
	switch {
	case w.fault != "":
		return "other"
	case w.bucket == "":
		return "buckets"
	case w.lists:
		return "list"
	case w.key == "":
		return "bucket"
	case w.has("uploads", "uploadId"):
		return "multipart"
	}
	return "object"
}
