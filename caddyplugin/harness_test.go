package caddyplugin

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/internal/observe"
	"github.com/clerkgate/clerkgate/policy"
)

// signedIn says who is asking, whatever the request holds.
type signedIn struct{ state policy.AuthState }

func (s signedIn) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return s.state
}

// as is an admin's authentication, with a response header of its own.
func as(role string) signedIn {
	return signedIn{policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: &policy.Principal{
		TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgSlug: "acme", OrgRole: role,
		Claims: map[string]any{"sub": "user_1", "o": map[string]any{"rol": "admin"}},
	}}}
}

// nobody signs nobody in.
var nobody = signedIn{policy.AuthState{Reason: policy.ReasonSessionMissing}}

// testRules are the policy of the unit tests.
var testRules = policy.Config{Rules: []policy.Rule{
	{Name: "public", Match: policy.Match{Path: policy.StringList{"/public(.*)"}}, Access: policy.Public},
	{Name: "closed", Match: policy.Match{Path: policy.StringList{"/closed(.*)"}}, Access: policy.DenyAccess},
	{Name: "hidden", Match: policy.Match{Path: policy.StringList{"/hidden(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:owner"}}, OnForbidden: &policy.OnForbidden{Status: 404}},
	{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
}}

// newHandler is a handler with a ready policy, as Provision leaves it.
func newHandler(tb testing.TB, config policy.Config, who policy.Authenticator) *Handler {
	tb.Helper()
	p, err := policy.New(config, policy.Deps{Authenticator: who, Limiter: someone{}, Now: func() time.Time { return corpus.Now },
		Instance: policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}})
	if err != nil {
		tb.Fatal(err)
	}
	return handlerOf(p)
}

func handlerOf(p *policy.Policy) *Handler {
	h := &Handler{policy: p, logger: zap.NewNop()}
	h.logTo(h.logger.Core())
	return h
}

// logTo has the decisions of a handler logged there.
func (h *Handler) logTo(core zapcore.Core) {
	h.logger = zap.New(core)
	h.reporter, _ = observe.NewReporter(adapter, slog.New(zapslog.NewHandler(core)), nil)
}

// get is a request for a target, as the server makes it.
func get(tb testing.TB, target string) *http.Request {
	tb.Helper()
	return received(tb, "GET "+target+" HTTP/1.1\r\nHost: app.example.com\r\n\r\n")
}

// received parses what a client sent, as the server does.
func received(tb testing.TB, raw string) *http.Request {
	tb.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		tb.Fatal(err)
	}
	return prepared(r, nil)
}

// prepared puts into a request what Caddy does before the first handler.
func prepared(r *http.Request, server *caddyhttp.Server) *http.Request {
	r.RemoteAddr = net.JoinHostPort("198.51.100.7", "1234")
	r.TLS = &tls.ConnectionState{}
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, server)
}

// outcome is what one request led to.
type outcome struct {
	*httptest.ResponseRecorder
	err error
	// upstream is the request as the next handler saw it; nil if it was not
	// called.
	upstream *http.Request
	repl     *caddy.Replacer
}

// serve sends a request through the handler.
func serve(h caddyhttp.MiddlewareHandler, r *http.Request) outcome {
	o := outcome{ResponseRecorder: httptest.NewRecorder(), repl: r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)}
	o.err = h.ServeHTTP(o.ResponseRecorder, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		o.upstream = r
		_, err := fmt.Fprint(w, "upstream")
		return err
	}))
	return o
}

// placeholder is the value of one placeholder after the request.
func (o outcome) placeholder(name string) string {
	value, _ := o.repl.GetString(name)
	return value
}
