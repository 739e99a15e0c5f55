package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxKey bounds the text of a limit key; longer ones are hashed.
const maxKey = 64

// limit is a compiled Limit.
type limit struct {
	name  string
	quota Quota
	keys  []limitKey
	// early: no part of the key needs an identity, so the limit can be taken
	// before authentication.
	early bool
	plans map[string]int
}

// limitKey reads one part of a key. kind keeps parts of different kinds apart.
type limitKey struct {
	kind  byte
	early bool
	read  func(s *subject) string
	// param is the path parameter that is read.
	param string
}

// kinds of key parts.
const (
	keyUser byte = iota + 1
	keySession
	keyOrg
	keyIP
	keyToken
	keyRule
	keyHeader
	keyClaim
	keyParam
)

var limitKeys = map[string]limitKey{
	"user":    {kind: keyUser, read: identityPart(func(p *Principal) string { return p.UserID + p.MachineID })},
	"session": {kind: keySession, read: identityPart(func(p *Principal) string { return p.SessionID })},
	"org":     {kind: keyOrg, read: identityPart(func(p *Principal) string { return p.OrgID })},
	"token":   {kind: keyToken, read: identityPart(func(p *Principal) string { return p.TokenDigest })},
	"ip":      {kind: keyIP, early: true, read: addressPart},
	"rule":    {kind: keyRule, early: true, read: func(s *subject) string { return s.rule.name }},
}

func identityPart(read func(*Principal) string) func(*subject) string {
	return func(s *subject) string {
		if s.principal == nil {
			return ""
		}
		return read(s.principal)
	}
}

// addressPart is the client's network in its binary form: one client has one
// key in every notation.
func addressPart(s *subject) string {
	network := s.client.Network()
	if !network.IsValid() {
		return "?"
	}
	addr := network.Addr().As16()
	return string(addr[:])
}

func compileLimitKey(text string) (limitKey, bool) {
	if key, ok := limitKeys[text]; ok {
		return key, true
	}
	if text == "organization" {
		return limitKeys["org"], true
	}
	if name, ok := strings.CutPrefix(text, "header:"); ok && validHeaderName(name) {
		return limitKey{kind: keyHeader, early: true, read: func(s *subject) string { return headerValue(s.request.Headers, name) }}, true
	}
	if path, ok := strings.CutPrefix(text, "claims."); ok && path != "" {
		steps := strings.Split(path, ".")
		return limitKey{kind: keyClaim, read: identityPart(func(p *Principal) string {
			value, _ := claimAt(p.Claims, steps)
			return claimText(value)
		})}, true
	}
	if name, ok := strings.CutPrefix(text, ":"); ok && name != "" {
		return limitKey{kind: keyParam, early: true, param: name, read: func(s *subject) string {
			value, _ := s.params.Get(name)
			return strings.ToLower(value) // as patterns are matched, so that no other spelling counts anew
		}}, true
	}
	return limitKey{}, false
}

func headerValue(headers []Header, name string) string {
	for i := range headers {
		if strings.EqualFold(headers[i].Name, name) {
			return headers[i].Value
		}
	}
	return ""
}

// key builds what is counted. A part the request does not have is replaced by
// its address, so that nobody escapes a limit by leaving something out. Every
// part carries its kind and length, so that no two different requests meet in
// one key whatever text they hold.
func (l *limit) key(s *subject) string {
	var buf [maxKey]byte
	b := buf[:0]
	for _, part := range l.keys {
		kind, text := part.kind, part.read(s)
		if text == "" {
			kind, text = keyIP, addressPart(s)
		}
		b = append(b, kind)
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	if len(b) > maxKey {
		sum := sha256.Sum256(b)
		return string(sum[:])
	}
	return string(b)
}

// check asks for one request to be counted. A principal on a plan with a quota
// of its own gets the most generous of them.
func (l *limit) check(s *subject) LimitCheck {
	quota := l.quota
	if s.principal != nil && len(l.plans) > 0 {
		planned := 0
		for plan, n := range l.plans {
			if n > planned && hasEntitlement(s.principal.Plans, plan) {
				planned = n
			}
		}
		if planned > 0 {
			quota.Burst = scaleBurst(quota, planned)
			quota.Limit = planned
		}
	}
	return LimitCheck{Name: l.name, Key: l.key(s), Quota: quota, Cost: 1}
}

// scaleBurst keeps the burst in proportion to a plan's limit.
func scaleBurst(q Quota, limit int) int {
	return int(min(maxQuota, max(1, int64(q.Burst)*int64(limit)/int64(q.Limit))))
}

// maxQuota bounds the numbers of a limit, so that arithmetic on them is exact.
const maxQuota = 1_000_000_000

func compileLimits(config map[string]Limit) (map[string]*limit, []error) {
	limits := make(map[string]*limit, len(config))
	var errs []error
	for _, name := range sortedKeys(config) {
		l, problems := compileLimit(name, config[name])
		limits[name] = l
		errs = append(errs, problems...)
	}
	return limits, errs
}

func compileLimit(name string, c Limit) (*limit, []error) {
	var errs []error
	path := "limits." + name
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) || name == "" {
		errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q is not a name that a header field can carry", name), Suggestion: "write letters, digits and dashes, such as per-user"})
	}
	fail := func(key, suggestion, format string, args ...any) {
		errs = append(errs, &ConfigError{Path: path + "." + key, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
	}
	if c.Algorithm == "" {
		c.Algorithm = SlidingWindow
	}
	if c.Algorithm != SlidingWindow && c.Algorithm != TokenBucket {
		fail("algorithm", didYouMean(string(c.Algorithm), string(SlidingWindow), string(TokenBucket)), "unknown algorithm %q", c.Algorithm)
	}
	if c.Limit < 1 || c.Limit > maxQuota {
		fail("limit", "write how many requests may pass per window", "%d is not a limit", c.Limit)
	}
	if c.Window < Duration(time.Second) || c.Window > Duration(31*24*time.Hour) {
		fail("window", "write a time from 1s to 31d", "the window is missing or out of range")
	}
	switch {
	case c.Burst < 0 || c.Burst > maxQuota:
		fail("burst", "", "%d is not a burst", c.Burst)
	case c.Burst > 0 && c.Algorithm != TokenBucket:
		fail("burst", "use algorithm: token_bucket, or remove it", "a sliding window has no burst")
	case c.Burst == 0:
		c.Burst = c.Limit
	}
	for _, plan := range sortedKeys(c.Plans) {
		if n := c.Plans[plan]; n < 1 || n > maxQuota {
			fail("plans."+plan, "", "%d is not a limit", n)
		}
		if _, ok := parseEntitlement(plan); !ok {
			fail("plans."+plan, "write pro, org:pro or user:pro", "%q is not a plan", plan)
		}
	}
	l := &limit{name: name, early: len(c.Plans) == 0, plans: c.Plans,
		quota: Quota{Algorithm: c.Algorithm, Limit: c.Limit, Window: c.Window.Std(), Burst: c.Burst}}
	if len(c.Key) == 0 {
		fail("key", "write what is counted apart, such as user or ip", "the limit has no key")
	}
	for i, text := range c.Key {
		key, ok := compileLimitKey(text)
		if !ok {
			fail(fmt.Sprintf("key[%d]", i), didYouMean(text, slices.Sorted(maps.Keys(limitKeys))...)+"; also header:<name>, claims.<path>, :<path parameter>", "unknown key %q", text)
		}
		l.keys = append(l.keys, key)
		l.early = l.early && key.early
	}
	return l, errs
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
