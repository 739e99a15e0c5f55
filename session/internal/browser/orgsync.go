package browser

import (
	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/policy"
)

// organizations tell from a path which organization is to be active there.
type organizations struct {
	organization, personal []*pathpattern.Pattern
	// everyPath is the reference's reading of an empty list of personal paths.
	everyPath bool
}

// orgTarget is what is to be active: an organization by its id or slug, or none
// of them.
type orgTarget struct{ id, slug string }

// param is how the Frontend API is asked for it.
func (t orgTarget) param() string {
	if t.slug != "" {
		return t.slug
	}
	return t.id
}

// differs reports whether something else is active.
func (t orgTarget) differs(p *policy.Principal) bool {
	switch {
	case t.slug != "":
		return p.OrgSlug != t.slug
	case t.id != "":
		return p.OrgID != t.id
	}
	return p.OrgID != ""
}

func newOrganizations(opts Options) (*organizations, error) {
	o := &organizations{}
	var err error
	if o.organization, err = compilePaths(opts.OrganizationPaths, opts.ReferenceCompat); err != nil {
		return nil, err
	}
	o.personal, err = compilePaths(opts.PersonalPaths, opts.ReferenceCompat)
	o.everyPath = opts.ReferenceCompat && opts.PersonalPaths != nil && len(o.personal) == 0
	return o, err
}

func compilePaths(list []string, reference bool) ([]*pathpattern.Pattern, error) {
	var out []*pathpattern.Pattern
	for _, text := range list {
		p, err := pathpattern.Compile(text, pathpattern.Options{Reference: reference})
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// target returns what is to be active at a path, and false where the path does
// not say. Values are taken as they stand in the path.
func (o *organizations) target(path string) (orgTarget, bool) {
	for _, p := range o.organization {
		params, ok, err := p.Params(path)
		if err != nil || !ok {
			continue
		}
		if id, _ := params.Get("id"); id != "" {
			return orgTarget{id: id}, true
		}
		if slug, _ := params.Get("slug"); slug != "" {
			return orgTarget{slug: slug}, true
		}
		break
	}
	for _, p := range o.personal {
		if ok, err := p.Match(path); ok && err == nil {
			return orgTarget{}, true
		}
	}
	return orgTarget{}, o.everyPath
}

// any reports whether there is anything to look for.
func (o *organizations) any() bool {
	return len(o.organization) > 0 || len(o.personal) > 0 || o.everyPath
}

// syncOrganization sends a browser to the Frontend API where the path is of
// another organization than the active one. Requests that cannot be sent there
// go on with the one that is.
func (a *Authenticator) syncOrganization(v *Visit, p *policy.Principal) (policy.AuthState, bool) {
	if !a.organizations.any() {
		return policy.AuthState{}, false
	}
	u, ok := v.address()
	if !ok {
		return policy.AuthState{}, false
	}
	target, ok := a.organizations.target(u.Path)
	if !ok || !target.differs(p) || v.handshakes() >= maxHandshakes {
		return policy.AuthState{}, false
	}
	state := a.renew(v, policy.ReasonOrganizationMismatch, nil)
	return state, state.Status == policy.Handshake
}
