package oracletest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// record is what a server says of a request that it served.
type record struct {
	// Handler is the logical route that ran; none for a page that does not exist.
	Handler string
	Method  string
	Path    string
	Host    string
	// Slug is the parameter of /orgs/:slug.
	Slug     string
	Protocol string
	Headers  [][2]string
	// Upgrade is the protocol that the server changed to.
	Upgrade string
	// File and Status are of servers of files: File tells the handler.
	File, Status string
	// blind says that the server tells nothing of headers.
	blind bool
}

// idHeader says which request it is.
const idHeader = "X-Oracle-Id"

// sent is a request that was sent, as the checker remembers it.
type sent struct {
	id       string
	edge     *edge
	upstream *upstream
	caller   *caller
	// peer is the client's address, by which the limit counts.
	peer string
	// preflight says that it is a question of a browser before a request from
	// another site, which gates let pass as nobody's.
	preflight bool
	// control says that it is an ordinary request, and must be served.
	control bool
	// protocol and text show it.
	protocol, text string
	served         bool
}

// checker judges what servers say by what was sent. It is safe for concurrent
// use.
type checker struct {
	seed uint64

	mu         sync.Mutex
	sent       map[string]*sent
	logins     map[string]int
	counts     map[[2]string]*count
	violations []string
	alike      map[string]int
}

// count is how many requests went to a server through a proxy, how many of them it
// served, and how many it served or was told of wrongly.
type count struct{ requests, served, controls, lockedOut, violations int }

func newChecker(seed uint64) *checker {
	return &checker{seed: seed, sent: map[string]*sent{}, logins: map[string]int{}, counts: map[[2]string]*count{}, alike: map[string]int{}}
}

// expect remembers a request before it is sent.
func (c *checker) expect(s *sent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sent[s.id] = s
	n := c.count(s)
	n.requests++
	if s.control {
		n.controls++
	}
}

// count is that of the request's server and proxy. The caller holds the lock.
func (c *checker) count(s *sent) *count {
	key := [2]string{s.edge.name, s.upstream.name}
	if c.counts[key] == nil {
		c.counts[key] = &count{}
	}
	return c.counts[key]
}

// observe judges what a server of that name says.
func (c *checker) observe(server string, r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sent[idOf(r)]
	if s == nil {
		if !mayBeServed(anonymous, r) {
			c.violate(nil, server, r, "nobody sent this, and it is guarded")
		}
		return
	}
	if !s.served {
		s.served = true
		c.count(s).served++
	}
	if why := c.judge(s, server, r); why != "" {
		c.count(s).violations++
		c.violate(s, server, r, why)
	}
}

// judge says what is wrong with a request having been served.
func (c *checker) judge(s *sent, server string, r record) string {
	switch {
	case s.preflight && r.Method == http.MethodOptions:
		return wrongIdentity(anonymous, r)
	case !mayBeServed(s.caller, r):
		return "it was not allowed to " + s.caller.name
	case r.Upgrade != "" && !strings.EqualFold(r.Upgrade, "websocket"):
		return "the connection became a tunnel"
	case r.Handler == "login":
		at := s.edge.name + " " + s.upstream.name + " " + s.peer
		if c.logins[at]++; c.logins[at] > loginLimit {
			return fmt.Sprintf("it was the %dth in an hour, and %d are allowed", c.logins[at], loginLimit)
		}
	}
	if r.blind {
		return ""
	}
	return wrongIdentity(s.caller, r)
}

// maxAlike bounds the violations of one kind by one server that are shown.
const maxAlike = 3

// violate notes a violation.
func (c *checker) violate(s *sent, server string, r record, why string) {
	told, err := json.Marshal(r)
	if err != nil {
		panic(err) // it was read from JSON
	}
	if s != nil && s.caller.token != "" {
		told = bytes.ReplaceAll(told, []byte(s.caller.token), []byte("<token>"))
	}
	text := fmt.Sprintf("seed %d: %s: %s\n  it says %s", c.seed, server, why, told)
	if s != nil {
		text = fmt.Sprintf("seed %d: %s behind %s: %s\n  %s by %s: %s\n  it says %s", c.seed, s.upstream.name, s.edge.name, why, s.protocol, s.caller.name, s.text, told)
	}
	if s != nil {
		server = s.upstream.name
	}
	kind := server + " " + why
	if c.alike[kind]++; c.alike[kind] <= maxAlike {
		c.violations = append(c.violations, text)
	}
}

func idOf(r record) string {
	for _, field := range r.Headers {
		if fold(field[0]) == "x-oracle-id" && field[1] != "" {
			return field[1]
		}
	}
	return ""
}

// report fails the test for each violation and each ordinary request that did not
// pass, and shows the figures.
func (c *checker) report(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sent {
		if s.control && !s.served {
			c.count(s).lockedOut++
			t.Errorf("seed %d: %s behind %s did not serve an ordinary request: %s by %s: %s", c.seed, s.upstream.name, s.edge.name, s.protocol, s.caller.name, s.text)
		}
	}
	for _, text := range c.violations {
		t.Error(text)
	}
	keys := make([][2]string, 0, len(c.counts))
	for key := range c.counts {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	var all count
	var table strings.Builder
	line := "%-16s %-14s %9v %9v %9v %9v %10v %10v\n"
	fmt.Fprintf(&table, line, "proxy", "server", "requests", "served", "refused", "ordinary", "locked out", "violations")
	show := func(proxy, server string, n count) {
		fmt.Fprintf(&table, line, proxy, server, n.requests, n.served, n.requests-n.served, n.controls, n.lockedOut, n.violations)
	}
	for _, key := range keys {
		n := *c.counts[key]
		show(key[0], key[1], n)
		all.requests, all.served, all.controls = all.requests+n.requests, all.served+n.served, all.controls+n.controls
		all.lockedOut, all.violations = all.lockedOut+n.lockedOut, all.violations+n.violations
	}
	show("all", "", all)
	t.Logf("seed %d\n%s", c.seed, &table)
}

// watch observes what is written to a server's log, until told to stop; then it
// reads the rest.
func (c *checker) watch(t *testing.T, u *upstream, stop <-chan struct{}) {
	file, err := os.Open(u.log)
	if err != nil {
		t.Error(err)
		return
	}
	defer file.Close()
	reader := bufio.NewReaderSize(file, 1<<20)
	var line []byte
	for last := false; ; {
		part, err := reader.ReadBytes('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			c.read(t, u, line)
			line = line[:0]
		case err != io.EOF:
			t.Error(err)
			return
		case last:
			return
		default:
			select {
			case <-stop:
				last = true
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
}

func (c *checker) read(t *testing.T, u *upstream, line []byte) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		t.Errorf("%s wrote %q: %v", u.name, line, err)
		return
	}
	if r.File != "" {
		r.Handler, r.Slug = handlerOfFile(r.File, r.Status)
	}
	c.observe(u.name, r)
}

// handlerOfFile tells the logical route by what was served from a site of files.
func handlerOfFile(file, status string) (handler, slug string) {
	if status != "200" && status != "206" && status != "304" {
		return "none", ""
	}
	text, err := os.ReadFile(file)
	if err != nil {
		text, err = os.ReadFile(filepath.Join(file, "index.html"))
	}
	if err == nil {
		return handlerInBody(text)
	}
	// A listing shows what is in its folder.
	if strings.Contains(file, "/files") {
		return "files", ""
	}
	return "none", ""
}

// handlerInBody finds the mark of a file.
func handlerInBody(body []byte) (handler, slug string) {
	_, rest, found := bytes.Cut(body, []byte(fileMark))
	if !found {
		return "none", ""
	}
	name, _, _ := bytes.Cut(rest, []byte("\n"))
	handler, slug, _ = strings.Cut(string(name), ":")
	return handler, slug
}
