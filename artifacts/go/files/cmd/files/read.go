package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// fileStatus is a file or folder as the client knows it.
type fileStatus struct {
	Path             string `json:"path"`
	Type             string `json:"type"`
	Length           int64  `json:"length"`
	ModificationTime int64  `json:"modificationTime"`
	Permission       string `json:"permission"`
	// Where a symbolic link leads, as it says itself.
	Target string `json:"target,omitempty"`
}

const (
	// Names of a folder that are read at once.
	namesAtOnce = 512
	// A list is sent on when so much of it is there.
	flushLines = 1000
	maxTarget  = 4096
	ndjson     = "application/x-ndjson"
)

func statusOf(path string, stat *unix.Stat_t, right string) fileStatus {
	status := fileStatus{Path: path, Type: "UNKNOWN", ModificationTime: stat.Mtim.Sec, Permission: right}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		status.Type, status.Length = "FILE", stat.Size
	case unix.S_IFDIR:
		status.Type = "DIRECTORY"
	case unix.S_IFLNK:
		status.Type = "SYMLINK"
	}
	return status
}

func targetOf(folder int, name string) string {
	var text [maxTarget]byte
	length, err := unix.Readlinkat(folder, name, text[:])
	if err != nil {
		return ""
	}
	return string(text[:length])
}

// status is GETFILESTATUS: of what a link leads to in the project, or of the link itself where it leads nowhere in it.
func (f *front) status(asked *task) error {
	status := fileStatus{Path: asked.at.path(), Type: "DIRECTORY", Permission: "read"}
	if asked.at.inProject() {
		stat, err := f.stat(asked.at)
		if err != nil {
			return err
		}
		status = statusOf(asked.at.path(), &stat.Stat_t, asked.may.Right)
		status.Target = stat.target
	}
	asked.writer.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(asked.writer).Encode(map[string]fileStatus{"FileStatus": status})
}

type linkStat struct {
	unix.Stat_t
	target string
}

func (f *front) stat(at place) (linkStat, error) {
	var found linkStat
	fd, err := f.files.open(at)
	if err == nil {
		defer unix.Close(fd)
		return found, unix.Fstat(fd, &found.Stat_t)
	}
	if at.isProject() {
		return found, err
	}
	parent, name, parentErr := f.files.parent(at)
	if parentErr != nil {
		return found, err
	}
	defer unix.Close(parent)
	if unix.Fstatat(parent, name, &found.Stat_t, unix.AT_SYMLINK_NOFOLLOW) != nil || found.Mode&unix.S_IFMT != unix.S_IFLNK {
		return found, err
	}
	found.target = targetOf(parent, name)
	return found, nil
}

// list is LISTSTATUS: one line for each name, as they are read, or one JSON document for a client that knows no lines.
func (f *front) list(asked *task) error {
	if !asked.at.inProject() {
		return listProjects(asked)
	}
	folder, err := f.files.openFolder(asked.at)
	if err != nil {
		return err
	}
	defer folder.Close()
	lines := newLines(asked)
	for {
		names, err := folder.Readdirnames(namesAtOnce)
		for _, name := range names {
			var stat unix.Stat_t
			// What has gone meanwhile is not listed.
			if unix.Fstatat(int(folder.Fd()), name, &stat, unix.AT_SYMLINK_NOFOLLOW) != nil {
				continue
			}
			status := statusOf(name, &stat, asked.may.Right)
			if status.Type == "SYMLINK" {
				status.Target = targetOf(int(folder.Fd()), name)
			}
			if err := lines.add(map[string]fileStatus{"FileStatus": status}, status); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return lines.end()
		}
		if err != nil {
			return lines.fail(err, asked.at)
		}
	}
}

func listProjects(asked *task) error {
	lines := newLines(asked)
	seen := map[string]bool{}
	for _, each := range asked.who.Projects {
		name := each.Project
		if asked.at.org == "" {
			name = each.Org
		}
		if seen[name] {
			continue
		}
		seen[name] = true
		status := fileStatus{Path: name, Type: "DIRECTORY", Permission: "read"}
		if asked.at.org != "" {
			status.Permission = each.Right
		}
		if err := lines.add(map[string]fileStatus{"FileStatus": status}, status); err != nil {
			return err
		}
	}
	return lines.end()
}

// lines sends a list.
type lines struct {
	asked   *task
	encoder *json.Encoder
	plain   bool
	count   int
}

func newLines(asked *task) *lines {
	encoder := json.NewEncoder(asked.writer)
	encoder.SetEscapeHTML(false)
	return &lines{asked: asked, encoder: encoder, plain: !strings.Contains(asked.Header.Get("Accept"), ndjson)}
}

func (l *lines) begin() error {
	if l.plain {
		l.asked.writer.Header().Set("Content-Type", "application/json")
		_, err := io.WriteString(l.asked.writer, `{"FileStatuses":{"FileStatus":[`)
		return err
	}
	l.asked.writer.Header().Set("Content-Type", ndjson)
	l.asked.writer.WriteHeader(http.StatusOK)
	return nil
}

func (l *lines) add(line any, plain any) error {
	if l.count == 0 {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if l.plain {
		if l.count > 0 {
			if _, err := io.WriteString(l.asked.writer, ","); err != nil {
				return err
			}
		}
		line = plain
	}
	l.count++
	if l.count%flushLines == 1 {
		_ = l.asked.control.SetWriteDeadline(time.Now().Add(stallTime))
		_ = l.asked.control.Flush()
	}
	return l.encoder.Encode(line)
}

func (l *lines) end() error {
	if l.count == 0 {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if !l.plain {
		return nil
	}
	_, err := io.WriteString(l.asked.writer, "]}}")
	return err
}

// fail ends a list with an error: as a line of its own where the list has begun.
func (l *lines) fail(err error, at place) error {
	if l.count == 0 || l.plain {
		return err
	}
	_, text := errorBody(err, at)
	return l.encoder.Encode(text)
}

// openFile is OPEN: a file or a range of it. It is sent from what was opened, whatever takes its name meanwhile.
func (f *front) openFile(asked *task) error {
	if asked.at.isProject() || !asked.at.inProject() {
		return unix.EISDIR
	}
	fd, err := f.files.openFile(asked.at, unix.O_RDONLY)
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "file")
	defer file.Close()
	if strings.Contains(asked.Header.Get("Range"), ",") {
		asked.Header.Del("Range")
	}
	asked.writer.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(&patient{asked.writer, asked.control}, asked.Request, "", time.Time{}, file)
	return nil
}

// patient gives each piece of an answer its own time.
type patient struct {
	*answer
	control *http.ResponseController
}

// Bytes that are given to the kernel at once: a client has stallTime to take them.
const pieceBytes = 4 << 20

func (p *patient) ReadFrom(source io.Reader) (int64, error) {
	var all int64
	for {
		_ = p.control.SetWriteDeadline(time.Now().Add(stallTime))
		count, err := p.answer.ReadFrom(io.LimitReader(source, pieceBytes))
		all += count
		if err != nil || count < pieceBytes {
			return all, err
		}
	}
}
