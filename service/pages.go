package service

import (
	"net/http"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/frontendapi"
	"github.com/clerkgate/clerkgate/internal/sessionpage"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// page is a handler that knows its own paths.
type page interface {
	http.Handler
	Handles(path string) bool
}

// pages are what is served by HTTP beside decisions.
type pages []page

// at returns the first page that handles a path as it was sent, without cleaning
// or redirecting it; nil for none.
func (p pages) at(path string) http.Handler {
	for _, page := range p {
		if page.Handles(path) {
			return page
		}
	}
	return nil
}

// newPages makes the pages of a document: the session page where the host wants it,
// the keys of assertions, the Frontend API where proxy_url is a path of a site, and
// Clerk's webhooks.
func newPages(config *setup.Config, gate *setup.Gate, o *Options) (all pages, warnings []policy.Warning, err error) {
	if o.SessionPage {
		page, err := newSessionPage(config, gate, o)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, page)
	}
	if gate.Upstream.Assertions != nil {
		all = append(all, only{assertion.Path, gate.Upstream.Assertions})
	}
	if frontendapi.IsPath(config.Clerk.ProxyURL) {
		proxy, err := frontendapi.New(frontendapi.Options{
			Clerk: config.Clerk, Upstream: o.FrontendAPI, TrustedProxies: config.TrustedProxies, Logger: o.Logger,
		})
		if err != nil {
			return nil, nil, err
		}
		warnings = append(warnings, proxy.Warnings()...)
		all = append(all, proxy)
	}
	// Last, for it changes how the stores judge, which may be those in force.
	receiver, err := gate.Stores.Receiver(config)
	if err != nil {
		return nil, nil, err
	}
	if receiver != nil {
		all = append(all, only{revocation.Path, receiver})
	}
	return all, warnings, nil
}

func newSessionPage(config *setup.Config, gate *setup.Gate, o *Options) (*sessionpage.Handler, error) {
	return sessionpage.New(sessionpage.Options{
		Clerk: config.Clerk, Authenticator: gate.Session, Instance: gate.Session.Instance(),
		TrustedProxies: config.TrustedProxies, Logger: o.Logger,
		Limiter: gate.Stores.Limiter, Revoker: gate.Stores.Revocations, Revocations: gate.Stores.Revocations,
	})
}

// only is a page of one path.
type only struct {
	path string
	http.Handler
}

// Handles reports whether the path is the page's.
func (o only) Handles(path string) bool { return path == o.path }
