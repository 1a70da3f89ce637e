package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// Requests under way at once, of one user and of all. More wait.
	maxOfUser   = 64
	maxRequests = 512
	// A request that finds no place for so long is told to come again.
	placeTime = 15 * time.Second
	// A body that stalls for so long is cut off, as is an answer that nobody takes.
	stallTime = time.Minute
)

// front answers clients: it finds out what is asked for, and whether the caller may.
type front struct {
	files   *volume
	rights  *rights
	usage   *usage
	metrics *requestMetrics
	places  places
	deletes chan struct{}
}

func newFront(files *volume, rights *rights, usage *usage, metrics *requestMetrics) *front {
	return &front{files, rights, usage, metrics, newPlaces(), make(chan struct{}, maxDeletes)}
}

// task is one request, as far as it is understood.
type task struct {
	*http.Request
	writer  *answer
	control *http.ResponseController
	op      string
	at      place
	// What the caller may do in the project; of a list of projects, in each of them.
	who allowed
	may access
}

type operation struct {
	method string
	writes bool
	run    func(*front, *task) error
}

var operations = map[string]operation{
	"OPEN":          {http.MethodGet, false, (*front).openFile},
	"LISTSTATUS":    {http.MethodGet, false, (*front).list},
	"GETFILESTATUS": {http.MethodGet, false, (*front).status},
	"GETDISKUSAGE":  {http.MethodGet, false, (*front).diskUsage},
	"MKDIRS":        {http.MethodPut, true, (*front).makeFolders},
	"CREATE":        {http.MethodPut, true, (*front).create},
	"WRITE":         {http.MethodPatch, true, (*front).write},
	"DELETE":        {http.MethodDelete, true, (*front).remove},
	"RENAME":        {http.MethodPost, true, (*front).rename},
}

func (f *front) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	began := time.Now()
	asked := &task{Request: request, writer: &answer{ResponseWriter: writer}, control: http.NewResponseController(writer)}
	asked.op = strings.ToUpper(request.URL.Query().Get("op"))
	f.metrics.begin()
	named := asked.op
	if _, known := operations[named]; !known {
		named = "other"
	}
	defer func() {
		broken := recover()
		if broken != nil {
			asked.writer.status = 0
		}
		f.metrics.end(named, asked.writer.status, time.Since(began), asked.writer.taken, asked.writer.sent)
		if broken != nil {
			// The connection is broken off: that a stream ends early must not look like its end.
			panic(http.ErrAbortHandler)
		}
	}()
	header := writer.Header()
	header.Set("Cache-Control", "no-store")
	// What users keep is never a page of the platform.
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	err := f.serve(asked)
	if err == nil {
		return
	}
	if asked.writer.status != 0 {
		panic(http.ErrAbortHandler)
	}
	asked.fail(err)
}

func (f *front) serve(asked *task) error {
	path, ours := unprefixed(asked.URL.EscapedPath())
	if !ours {
		return &failure{http.StatusNotFound, "", "no such endpoint"}
	}
	at, err := parsePlace(path)
	if err != nil {
		return err
	}
	asked.at = at
	found, known := operations[asked.op]
	if !known {
		return &failure{http.StatusBadRequest, "", fmt.Sprintf("expected ?op= of one of OPEN, LISTSTATUS, GETFILESTATUS, GETDISKUSAGE, MKDIRS, CREATE, WRITE, DELETE, RENAME; found %q", asked.op)}
	}
	if asked.Method != found.method {
		return &failure{http.StatusMethodNotAllowed, "", asked.op + " comes by " + found.method}
	}
	if asked.who, err = f.rights.of(asked.Request, at.org, at.project); err != nil {
		return err
	}
	if at.org != "" && len(asked.who.Projects) == 0 {
		return noSuch(at)
	}
	if at.inProject() {
		asked.may = asked.who.Projects[0]
	}
	if found.writes {
		if !at.inProject() {
			return &failure{http.StatusForbidden, "", "only files and folders of projects can be changed; organizations and projects come from delos.yaml"}
		}
		if err := mayWrite(asked.who.User, asked.may); err != nil {
			return err
		}
	}
	leave, ok := f.places.enter(asked.Context(), asked.who.User)
	if !ok {
		asked.writer.Header().Set("Retry-After", "1")
		return &failure{http.StatusServiceUnavailable, "", "too many requests are under way; try again in a moment"}
	}
	defer leave()
	return found.run(f, asked)
}

func mayWrite(user string, may access) error {
	if may.Right == "write" {
		return nil
	}
	return &failure{http.StatusForbidden, "", fmt.Sprintf("%s may only read in project %s/%s; ask the administrator for the role writer in this project", user, may.Org, may.Project)}
}

// failure is an answer that is no errno's.
type failure struct {
	status int
	errno  string
	text   string
}

func (f *failure) Error() string { return f.text }

func noSuch(at place) error {
	return &failure{http.StatusNotFound, "", "there is no " + at.path() + ", or you may not see it"}
}

// fail answers with an error, as the client maps it: its errno counts with status 400 alone, and what is not there is 404.
func (t *task) fail(err error) {
	t.passOver()
	var refused *refusal
	if errors.As(err, &refused) {
		t.writer.Header().Set("Content-Type", "application/json")
		if refused.after != "" {
			t.writer.Header().Set("Retry-After", refused.after)
		}
		t.writer.WriteHeader(refused.status)
		_, _ = t.writer.Write(refused.body)
		return
	}
	status, body := errorBody(err, t.at)
	if status == http.StatusInternalServerError {
		log.Printf("%s failed: %v", t.op, err)
	}
	t.writer.Header().Set("Content-Type", "application/json")
	t.writer.WriteHeader(status)
	_ = json.NewEncoder(t.writer).Encode(body)
}

// A body that nobody wants is read to its end where it is short: whoever is still sending would not read the answer.
const maxPassedOver = 2 << 20

func (t *task) passOver() {
	if t.ContentLength <= 0 || t.ContentLength > maxPassedOver {
		return
	}
	_ = t.control.SetReadDeadline(time.Now().Add(headerTime))
	_, _ = io.Copy(io.Discard, t.Body)
}

type errorText struct {
	Error string `json:"error"`
	Errno string `json:"errno,omitempty"`
}

func errorBody(err error, at place) (int, errorText) {
	var failed *failure
	if errors.As(err, &failed) {
		return failed.status, errorText{failed.text, failed.errno}
	}
	if errors.Is(err, errNoRights) {
		return http.StatusServiceUnavailable, errorText{Error: err.Error()}
	}
	var number unix.Errno
	if !errors.As(err, &number) {
		return http.StatusInternalServerError, errorText{Error: "the storage failed; `delos logs files` says why"}
	}
	if number == unix.ENOENT {
		return http.StatusNotFound, errorText{Error: "there is no " + at.path()}
	}
	text := fmt.Sprintf("%s: %s", at.path(), number.Error())
	if number == unix.EXDEV || number == unix.ELOOP {
		text = at.path() + " leads through a symbolic link out of the project, or in a circle"
	}
	return http.StatusBadRequest, errorText{text, unix.ErrnoName(number)}
}
