package frontendapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
)

// The codes of errors, as Clerk's own proxy has them.
const (
	codeConfiguration = "proxy_configuration_error"
	codePath          = "proxy_path_mismatch"
	codeRequest       = "proxy_request_failed"
)

// writeError answers in the form of the Frontend API's errors.
func writeError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	problem := map[string]string{"code": code, "message": message, "long_message": message}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{problem}}) // the client may be gone
}

func (h *Handler) tooLarge(w http.ResponseWriter) {
	w.Header().Set("Connection", "close") // the rest is not read
	writeError(w, http.StatusRequestEntityTooLarge, codeRequest, "The request is larger than 10 MiB.")
}

// failed answers a request that did not reach Clerk, or got no response. Errors of the
// transport contain URLs, which contain tickets and tokens: only their kind is logged.
func (h *Handler) failed(w http.ResponseWriter, r *http.Request, err error) {
	kind := "no answer"
	switch {
	case isTooLarge(err):
		h.tooLarge(w)
		return
	case errors.Is(err, errBusy):
		h.busyLog.Do(func() { h.logger.Warn("frontend API proxy: " + errBusy.Error()) })
		w.Header().Set("Connection", "close") // the rest is not read
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, codeRequest, "Too many requests are under way.")
		return
	case errors.Is(err, errTimeout):
		w.Header().Set("Connection", "close")
		writeError(w, http.StatusRequestTimeout, codeRequest, "The request did not arrive in time.")
		return
	case r.Context().Err() == context.Canceled:
		kind = "the client went away"
	case r.Context().Err() != nil:
		kind = "no answer in time"
	case errors.Is(err, errProtocolSwitch):
		kind = errProtocolSwitch.Error()
	}
	h.logger.Warn("frontend API proxy: request failed", "kind", kind, "method", r.Method, "upstream", h.upstream.Host)
	writeError(w, http.StatusBadGateway, codeRequest, "Clerk's Frontend API did not answer.")
}

func isTooLarge(err error) bool {
	_, ok := errors.AsType[*http.MaxBytesError](err)
	return ok
}
