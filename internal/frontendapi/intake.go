package frontendapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Bounds of the bodies that clients are sending.
const (
	smallBody     = 64 << 10         // bytes; what is larger is an upload, of a picture
	pieceTimeout  = 5 * time.Second  // for each 64 KiB
	uploadTimeout = 30 * time.Second // for all of a body
	maxSending    = 512              // bodies that are on their way
	maxSendingOf  = 32               // from one network
)

var (
	errBusy = errors.New("too many requests are under way")
	errSlow = errors.New("the body did not arrive in time")
)

// intake takes in bodies as a whole before anything goes to Clerk, so that no
// pace of a client's holds a connection there. Where too many are on their way,
// the oldest gives way: it is the slow ones that are old.
type intake struct {
	mu      sync.Mutex
	sending []*sending // oldest first
	uploads slots
}

// sending is one body on its way.
type sending struct {
	from    netip.Prefix
	control *http.ResponseController
	mu      sync.Mutex
	ousted  bool
}

// take reads a body.
func (i *intake) take(w http.ResponseWriter, r *http.Request, from netip.Prefix) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	s := i.begin(w, from)
	defer i.end(s)
	body, err := i.read(http.MaxBytesReader(w, r.Body, maxBody), s)
	switch {
	case err == nil:
		return body, s.waitUntil(time.Time{})
	case s.isOusted():
		return nil, errBusy
	case isTooLarge(err) || errors.Is(err, errBusy):
		return nil, err
	}
	return nil, errSlow
}

// read reads all of a body. What is larger than usual needs a place among the
// uploads, which hold much memory.
func (i *intake) read(body io.Reader, s *sending) ([]byte, error) {
	until := time.Now().Add(uploadTimeout)
	var all bytes.Buffer
	for {
		if err := s.waitUntil(earlier(until, time.Now().Add(pieceTimeout))); err != nil {
			return nil, err
		}
		n, err := all.ReadFrom(io.LimitReader(body, smallBody))
		if err != nil {
			return nil, err
		}
		if n < smallBody {
			return all.Bytes(), nil
		}
		if all.Len() == smallBody {
			if !i.uploads.take(s.from) {
				return nil, errBusy
			}
			defer i.uploads.give(s.from)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// begin counts a body in, and ousts the oldest where there are too many: of the
// same network, or of all.
func (i *intake) begin(w http.ResponseWriter, from netip.Prefix) *sending {
	s := &sending{from: from, control: http.NewResponseController(w)}
	i.mu.Lock()
	defer i.mu.Unlock()
	same, oldest := 0, -1
	for at, other := range i.sending {
		if other.from == from {
			if same++; oldest < 0 {
				oldest = at
			}
		}
	}
	switch {
	case same >= maxSendingOf:
		i.oust(oldest)
	case len(i.sending) >= maxSending:
		i.oust(0)
	}
	i.sending = append(i.sending, s)
	return s
}

func (i *intake) oust(at int) {
	i.sending[at].oust()
	i.sending = slices.Delete(i.sending, at, at+1)
}

// end counts a body out.
func (i *intake) end(s *sending) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sending = slices.DeleteFunc(i.sending, func(other *sending) bool { return other == s })
}

// waitUntil bounds the time of what is read next. Where it cannot be bounded, in
// tests without a connection, there is nothing to wait for.
func (s *sending) waitUntil(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ousted {
		return errBusy
	}
	if err := s.control.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// oust ends the reading at once.
func (s *sending) oust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ousted = true
	_ = s.control.SetReadDeadline(time.Unix(1, 0)) // the connection may be gone
}

func (s *sending) isOusted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ousted
}
