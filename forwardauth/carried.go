package forwardauth

import (
	"bufio"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"

	"github.com/clerkgate/clerkgate/policy"
)

// nginx takes no answer but 200, 401 and 403, and passes nothing of a refusal on to the
// client. So a refusal carries the whole answer to the client in one field, which nginx
// keeps in a variable and sends to answerPath, where the answer is played back.
const (
	carriedField = "X-Clerkgate-Answer"
	statusField  = "X-Clerkgate-Status"
	// maxCarried bounds an answer that is played back, in bytes.
	maxCarried = 256 << 10
)

// refuseNginx answers 401 or 403, with what the client is to be told in a field. The
// fields Location and Retry-After are for those who do without that.
func refuseNginx(w http.ResponseWriter, _ *check, d *policy.Decision) {
	answer, err := carry(d)
	if err != nil {
		answer = "" // then the client gets no more than the status
	}
	header := w.Header()
	header["Cache-Control"] = []string{"no-store"}
	header["Content-Length"] = []string{"0"}
	header[carriedField] = []string{answer}
	header[statusField] = []string{strconv.Itoa(d.Status)}
	for _, name := range []string{"Location", "Retry-After"} {
		if value := d.Header(name); value != "" {
			header[name] = []string{value}
		}
	}
	if d.Status == http.StatusUnauthorized || d.Outcome == policy.Redirect {
		w.WriteHeader(http.StatusUnauthorized)
	} else {
		w.WriteHeader(http.StatusForbidden)
	}
}

// carry is the answer to the client as text that a field can hold: compressed, since
// most of it is a page.
func carry(d *policy.Decision) (string, error) {
	response := http.Response{
		StatusCode: d.Status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
		Body: io.NopCloser(bytes.NewReader(d.Body)), ContentLength: int64(len(d.Body)),
	}
	for _, h := range d.ResponseHeaders {
		response.Header.Add(h.Name, h.Value)
	}
	var packed bytes.Buffer
	compressor, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err == nil {
		err = response.Write(compressor)
	}
	if err == nil {
		err = compressor.Close()
	}
	return base64.RawURLEncoding.EncodeToString(packed.Bytes()), err
}

// carried is the answer in a field, with its whole body.
func carried(text string) (*http.Response, []byte, error) {
	packed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, nil, err
	}
	unpacked := io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxCarried)
	response, err := http.ReadResponse(bufio.NewReader(unpacked), nil)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode < http.StatusMultipleChoices {
		err = fmt.Errorf("an answer with the status %d", response.StatusCode)
	}
	return response, body, err
}

// playBack gives the client the answer that a refusal carried. No proxy lets a request
// pass by what it says. Where nginx refused by itself there is none.
func (h *Handler) playBack(w http.ResponseWriter, r *http.Request) {
	d := policy.Denial(policy.ReasonNoDecision)
	if !h.trusts(r) {
		d = policy.Denial(policy.ReasonPeerUntrusted)
	} else if response, body, err := carried(r.Header.Get(carriedField)); err == nil {
		maps.Copy(w.Header(), response.Header)
		w.WriteHeader(response.StatusCode)
		_, _ = w.Write(body) // nginx may be gone
		return
	}
	refuse(w, &check{Request: r}, &d)
}
