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
	smallBody      = 64 << 10         // bytes; what is larger is an upload, of a picture
	pieceTimeout   = 5 * time.Second  // for each 64 KiB
	uploadTimeout  = 30 * time.Second // for all of a body
	maxUploading   = 512              // bodies that are on their way
	maxUploadingOf = 32               // from one network
)

var (
	errBusy    = errors.New("too many requests are under way")
	errTimeout = errors.New("the body did not arrive in time")
)

// bodyReader reads whole bodies before a request is forwarded, so that a slow client
// does not occupy a connection to Clerk. If too many are being read, the oldest is
// evicted, which is the slowest.
type bodyReader struct {
	mu        sync.Mutex
	uploading []*upload // oldest first
	uploads   slots
}

// upload is one body that is being read.
type upload struct {
	from    netip.Prefix
	control *http.ResponseController
	mu      sync.Mutex
	evicted bool
}

// readBody reads a body. It returns errBusy, errTimeout or an [http.MaxBytesError].
func (i *bodyReader) readBody(w http.ResponseWriter, r *http.Request, from netip.Prefix) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return nil, nil
	}
	s := i.begin(w, from)
	defer i.end(s)
	body, err := i.read(http.MaxBytesReader(w, r.Body, maxBody), s)
	switch {
	case err == nil:
		return body, s.setDeadline(time.Time{})
	case s.isEvicted():
		return nil, errBusy
	case isTooLarge(err) || errors.Is(err, errBusy):
		return nil, err
	}
	return nil, errTimeout
}

// read reads all of a body. One of more than smallBody needs one of the slots for large
// bodies, which use much memory.
func (i *bodyReader) read(body io.Reader, s *upload) ([]byte, error) {
	until := time.Now().Add(uploadTimeout)
	var all bytes.Buffer
	for {
		if err := s.setDeadline(earlier(until, time.Now().Add(pieceTimeout))); err != nil {
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
			if !i.uploads.acquire(s.from) {
				return nil, errBusy
			}
			defer i.uploads.release(s.from)
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// begin adds a body, and evicts the oldest if there are too many: of the same network,
// or of all.
func (i *bodyReader) begin(w http.ResponseWriter, from netip.Prefix) *upload {
	s := &upload{from: from, control: http.NewResponseController(w)}
	i.mu.Lock()
	defer i.mu.Unlock()
	same, oldest := 0, -1
	for at, other := range i.uploading {
		if other.from == from {
			if same++; oldest < 0 {
				oldest = at
			}
		}
	}
	switch {
	case same >= maxUploadingOf:
		i.evict(oldest)
	case len(i.uploading) >= maxUploading:
		i.evict(0)
	}
	i.uploading = append(i.uploading, s)
	return s
}

func (i *bodyReader) evict(at int) {
	i.uploading[at].evict()
	i.uploading = slices.Delete(i.uploading, at, at+1)
}

// end removes a body.
func (i *bodyReader) end(s *upload) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.uploading = slices.DeleteFunc(i.uploading, func(other *upload) bool { return other == s })
}

// setDeadline sets the deadline of the next read. Tests without a connection have none.
func (s *upload) setDeadline(t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.evicted {
		return errBusy
	}
	if err := s.control.SetReadDeadline(t); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// evict ends the reading at once.
func (s *upload) evict() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evicted = true
	_ = s.control.SetReadDeadline(time.Unix(1, 0)) // the connection may be gone
}

func (s *upload) isEvicted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.evicted
}
