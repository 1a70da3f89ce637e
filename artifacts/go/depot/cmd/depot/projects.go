package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A name as delos.yaml takes it for organizations and projects (RFC 1123).
var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// projects are the chart repositories of a platform, one for each project: PREFIX/ORGANIZATION/PROJECT is what ChartMuseum has at its
// root. Whoever may read in a project reads its charts, and whoever may write there uploads and removes them.
type projects struct {
	folder, prefix string
	limit          int64
	rights         *rights
	metrics        *requestMetrics
	shared         *shared

	lock  sync.Mutex
	known map[string]*repository
}

// load reads what is there: ORGANIZATION/PROJECT/ARCHIVE.
func (p *projects) load() error {
	organizations, err := os.ReadDir(p.folder)
	if err != nil {
		return err
	}
	for _, organization := range organizations {
		if !organization.IsDir() || !label.MatchString(organization.Name()) {
			continue
		}
		names, err := os.ReadDir(filepath.Join(p.folder, organization.Name()))
		if err != nil {
			return err
		}
		for _, name := range names {
			if !name.IsDir() || !label.MatchString(name.Name()) {
				continue
			}
			if _, err := p.repository(organization.Name() + "/" + name.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// repository is that of a project. A project that is new to it gets an empty one.
func (p *projects) repository(project string) (*repository, error) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if found := p.known[project]; found != nil {
		return found, nil
	}
	made, err := newRepository(filepath.Join(p.folder, project), bounds{
		charts:       maxProjectCharts,
		description:  maxProjectDescription,
		descriptions: maxProjectDescriptions,
		bytes:        p.limit,
		shared:       p.shared,
	})
	if err != nil {
		return nil, err
	}
	p.known[project] = made
	return made, nil
}

// sizes are the bytes of each project's files.
func (p *projects) sizes() map[string]int64 {
	p.lock.Lock()
	all := make(map[string]*repository, len(p.known))
	for name, one := range p.known {
		all[name] = one
	}
	p.lock.Unlock()
	sizes := map[string]int64{}
	for name, one := range all {
		if size, err := one.size(); err == nil {
			sizes[name] = size
		}
	}
	return sizes
}

func (p *projects) ServeHTTP(plain http.ResponseWriter, request *http.Request) {
	w := &counted{ResponseWriter: plain, status: http.StatusOK}
	defer func() { p.metrics.add(request.Method, w.status) }()
	w.Header().Set("Cache-Control", "no-store")
	path, ours := strings.CutPrefix(request.URL.Path, p.prefix+"/")
	parts := strings.SplitN(path, "/", 3)
	if !ours || len(parts) < 2 || !label.MatchString(parts[0]) || !label.MatchString(parts[1]) {
		answer(w, http.StatusNotFound, map[string]any{"error": "expected " + p.prefix + "/ORGANIZATION/PROJECT"})
		return
	}
	project, below := parts[0]+"/"+parts[1], "/"
	if len(parts) == 3 {
		below += parts[2]
	}
	user, password, login := request.BasicAuth()
	if !login {
		refuse(w, "log in by the name of a user and a token of the platform")
		return
	}
	may, err := p.rights.of(request.Context(), user, password, project)
	switch {
	case errors.Is(err, errUnknown):
		refuse(w, err.Error())
	case err != nil:
		log.Print(err)
		w.Header().Set("Retry-After", "5")
		answer(w, http.StatusServiceUnavailable, map[string]any{"error": errUnavailable.Error()})
	case !may.read:
		// Whether there is such a project is not said.
		answer(w, http.StatusNotFound, map[string]any{"error": "there is no such project, or it is not yours to see"})
	case !reads(request) && !may.write:
		answer(w, http.StatusForbidden, map[string]any{
			"error": fmt.Sprintf("%s may only read in project %s; ask the administrator for the role writer in this project", user, project)})
	default:
		p.serve(w, request, project, below)
	}
}

func (p *projects) serve(w http.ResponseWriter, request *http.Request, project, below string) {
	one, err := p.repository(project)
	if err != nil {
		fail(w, err)
		return
	}
	inner := request.Clone(request.Context())
	inner.URL = &url.URL{Path: below, RawQuery: request.URL.RawQuery}
	one.ServeHTTP(w, inner)
}

type counted struct {
	http.ResponseWriter
	status int
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// serveProjects serves charts at one port, and health and metrics at another.
func serveProjects(ctx context.Context) error {
	limit, err := strconv.ParseInt(os.Getenv("DELOS_CHARTS_PROJECT_LIMIT"), 10, 64)
	if err != nil || limit < 0 {
		return fmt.Errorf("DELOS_CHARTS_PROJECT_LIMIT is %q: expected bytes, 0 for no limit", os.Getenv("DELOS_CHARTS_PROJECT_LIMIT"))
	}
	for _, name := range []string{"DELOS_API_URL", "DELOS_CLUSTER", "DELOS_CHARTS_DATA", "DELOS_PORT", "DELOS_INTERNAL_PORT"} {
		if os.Getenv(name) == "" {
			return fmt.Errorf("%s is expected", name)
		}
	}
	all := &projects{
		folder:  os.Getenv("DELOS_CHARTS_DATA"),
		prefix:  os.Getenv("DELOS_CHARTS_PREFIX"),
		limit:   limit,
		rights:  newRights(os.Getenv("DELOS_API_URL"), os.Getenv("DELOS_CLUSTER")),
		metrics: newRequestMetrics(),
		shared:  &shared{},
		known:   map[string]*repository{},
	}
	inside := &internal{projects: all}
	inner := server(":"+os.Getenv("DELOS_INTERNAL_PORT"), inside.handler())
	outer := server(":"+os.Getenv("DELOS_PORT"), all)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 1)
	go func() {
		failed <- run(ctx, inner)
		stop()
	}()
	began := time.Now()
	if err := all.load(); err != nil {
		return err
	}
	log.Printf("read the charts of %d projects in %s", len(all.known), time.Since(began).Round(time.Millisecond))
	inside.ready.Store(true)
	log.Printf("serving charts at %s", outer.Addr)
	err = run(ctx, outer)
	stop()
	return errors.Join(err, <-failed)
}
