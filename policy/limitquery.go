package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// LimitQuery names a key of limits in writing, for people who look at its count: what
// a request says by itself.
type LimitQuery struct {
	// Limit is the limit's name. Empty: every limit whose key can be read so.
	Limit string
	// Parts are the parts of the key, in the order of the limit: ids, addresses,
	// values, and of a token its SHA-256 in hexadecimal digits. An empty one is
	// what a request does not have, so that its address counts.
	Parts []string
	// Address is that of the client, where a part is empty.
	Address string
	// Plan and Role choose the quota, as the limit names them. Empty: none.
	Plan, Role string
	// Every selects all quotas that the key may be counted against: each plan's and
	// each role's beside that of Plan and Role.
	Every bool
	// Method is the one whose cost counts. Default: GET. A cost of 0, which is not
	// counted, is taken as 1.
	Method string
}

// LimitChecks returns the checks of a key for a limiter, by limit and quota, exactly as
// for a request. The configuration is one that [New] accepts.
func (c *Config) LimitChecks(w LimitQuery) ([]LimitCheck, error) {
	limits, errs := compileLimits(c.Limits)
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	names := sortedKeys(c.Limits)
	switch {
	case len(names) == 0:
		return nil, errors.New("the document has no limits")
	case w.Limit != "" && limits[w.Limit] == nil:
		return nil, fmt.Errorf("there is no limit %q (%s)", w.Limit, didYouMean(w.Limit, names...))
	case w.Limit != "":
		names = []string{w.Limit}
	}
	who, err := w.principal()
	if err != nil {
		return nil, err
	}
	var checks []LimitCheck
	var asked []*limit
	for _, name := range names {
		l := limits[name]
		key, err := w.key(l, c.Limits[name].Key)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		asked = append(asked, l)
		check := l.checkOf(key, who, max(1, l.cost.of(cmp.Or(w.Method, http.MethodGet))))
		checks = append(checks, check)
		if w.Every {
			checks = append(checks, l.others(check)...)
		}
	}
	if len(checks) == 0 {
		return nil, errors.Join(errs...)
	}
	if err := w.quotas(asked, who); err != nil {
		return nil, err
	}
	return checks, nil
}

// others are the checks of all other quotas of the limit, each once.
func (l *limit) others(check LimitCheck) []LimitCheck {
	known := check.Quota.Limit
	numbers := slices.Concat([]int{l.quota.Limit}, slices.Collect(maps.Values(l.plans)), slices.Collect(maps.Values(l.roles)))
	slices.Sort(numbers)
	var others []LimitCheck
	for _, n := range slices.Compact(numbers) {
		if check.Quota = l.quotaFor(n); n != known {
			others = append(others, check)
		}
	}
	return others
}

// quotas reports a plan or a role that none of the limits has a quota for: what
// is shown would not be theirs.
func (w *LimitQuery) quotas(limits []*limit, who *Principal) error {
	plans, roles := map[string]bool{}, map[string]bool{}
	plan, role := w.Plan == "", w.Role == ""
	for _, l := range limits {
		for name := range l.plans {
			plans[name] = true
			plan = plan || hasEntitlement(who.Plans, name)
		}
		for name := range l.roles {
			roles["org:"+name] = true
			role = role || hasRole(who, name)
		}
	}
	switch {
	case !plan:
		return noQuota("plan", w.Plan, plans)
	case !role:
		return noQuota("role", w.Role, roles)
	}
	return nil
}

func noQuota(kind, name string, known map[string]bool) error {
	suggestion := "all have the same"
	if len(known) > 0 {
		suggestion = didYouMean(name, sortedKeys(known)...)
	}
	return fmt.Errorf("no quota is for %s %q (%s)", kind, name, suggestion)
}

// key builds the key of a limit as [limit.key] does.
func (w *LimitQuery) key(l *limit, names StringList) (string, error) {
	if len(w.Parts) != len(l.keys) {
		return "", fmt.Errorf("limit %q: its key has the parts %s, and %d are written", l.name, strings.Join(names, ", "), len(w.Parts))
	}
	var client ClientAddr
	var err error
	switch lacks := slices.Contains(w.Parts, ""); {
	case lacks && w.Address == "":
		return "", fmt.Errorf("limit %q: a part of the key is empty, and there is no address to count in its place", l.name)
	case w.Address != "":
		if client, err = writtenClient(w.Address); err != nil {
			return "", err
		}
	}
	var k keyText
	for i := range l.keys {
		part, text := &l.keys[i], w.Parts[i]
		if part.written != nil && text != "" {
			if text, err = part.written(text); err != nil {
				return "", fmt.Errorf("limit %q: key %s: %w", l.name, names[i], err)
			}
		}
		k = k.add(part.kind, text, client)
	}
	return k.String(), nil
}

// principal is one that has the plan and the role.
func (w *LimitQuery) principal() (*Principal, error) {
	p := &Principal{}
	if w.Plan != "" {
		plan, ok := parseEntitlement(w.Plan)
		if !ok {
			return nil, fmt.Errorf("%q is not a plan (write pro, org:pro or user:pro)", w.Plan)
		}
		if plan.org {
			p.Plans.Org = []string{plan.slug}
		}
		if plan.user {
			p.Plans.User = []string{plan.slug}
		}
	}
	if w.Role != "" {
		p.OrgID, p.OrgRole = "org", w.Role // roles count in an organization only
	}
	return p, nil
}

func writtenAddress(text string) (string, error) {
	client, err := writtenClient(text)
	return addressPart(client), err
}

// writtenClient reads an address in every form that proxies write it in.
func writtenClient(text string) (ClientAddr, error) {
	if text == noAddress {
		return ClientAddr{}, nil
	}
	addr, ok := ParseForwarded(strings.TrimSpace(text))
	if !ok {
		return ClientAddr{}, fmt.Errorf("%q is not an address (write 203.0.113.7 or 2001:db8::7)", text)
	}
	return ClientAddr{addr}, nil
}

func writtenDigest(text string) (string, error) {
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != sha256.Size {
		return "", errors.New("this is not the SHA-256 of a token (write its 64 hexadecimal digits)") // and it may be a token
	}
	return string(digest), nil
}

func writtenParam(text string) (string, error) { return writtenParamPart(text), nil }
