package main

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

// gate is a policy and what it decides with.
type gate struct {
	session *session.Authenticator
	policy  *policy.Policy
}

// newGate joins the pieces. Everything wrong with either configuration is in
// the error. Nothing is fetched until start.
func newGate(clerk session.Config, rules policy.Config) (*gate, error) {
	authenticator, err := session.New(clerk, session.Options{})
	if err != nil {
		return nil, err
	}
	p, err := policy.New(rules, policy.Deps{
		Authenticator: authenticator,
		Limiter:       ratelimit.NewMemory(ratelimit.Options{}),
		Instance:      policy.Instance{SignInURL: authenticator.SignInURL(), Origins: authenticator.AuthorizedParties()},
		Now:           time.Now,
	})
	if err != nil {
		return nil, err
	}
	return &gate{authenticator, p}, nil
}

// start fetches keys in the background until ctx ends or the gate is closed.
func (g *gate) start(ctx context.Context) { g.session.Start(ctx) }

func (g *gate) close() { g.session.Close() }

// guard lets through what the policy allows. It belongs in front of everything
// that changes a request or routes it, so that what is judged is what is served.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := g.policy.Decide(r.Context(), facts(r))
		for _, h := range d.ResponseHeaders {
			w.Header().Add(h.Name, h.Value)
		}
		if !d.Allowed() {
			w.WriteHeader(d.Status)
			w.Write(d.Body) // an error is the client gone
			return
		}
		next.ServeHTTP(w, identified(r, &d))
	})
}

// facts copies what the policy judges. The target is the one on the wire:
// r.URL.Path has been decoded, and no longer says how.
func facts(r *http.Request) *policy.Request {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // zero for a Unix socket
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	facts := &policy.Request{Method: r.Method, Scheme: scheme, Host: r.Host, Target: r.RequestURI, Peer: peer.Addr()}
	for name, values := range r.Header {
		for _, value := range values {
			facts.Headers = append(facts.Headers, policy.Header{Name: name, Value: value})
		}
	}
	return facts
}

// identified is the request with the policy's edits: identity headers that the
// client sent are gone, ours are set, and what was for the gate alone is out of
// the query. The principal goes along.
func identified(r *http.Request, d *policy.Decision) *http.Request {
	r = r.Clone(context.WithValue(r.Context(), principalKey{}, d.Principal))
	for _, name := range d.RemoveHeaders {
		delete(r.Header, name) // as it was spelt
		r.Header.Del(name)
	}
	for _, h := range d.SetHeaders {
		r.Header.Set(h.Name, h.Value)
	}
	pairs := slices.DeleteFunc(strings.Split(r.URL.RawQuery, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(d.RemoveQuery, name)
	})
	r.URL.RawQuery = strings.Join(pairs, "&")
	return r
}

type principalKey struct{}

// principalOf returns who is asking; nil where nobody is signed in.
func principalOf(ctx context.Context) *policy.Principal {
	p, _ := ctx.Value(principalKey{}).(*policy.Principal)
	return p
}
