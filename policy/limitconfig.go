package policy

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

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

// limitCompiler checks one limit.
type limitCompiler struct {
	path string
	errs []error
}

func (c *limitCompiler) fail(key, suggestion, format string, args ...any) {
	c.errs = append(c.errs, &ConfigError{Path: c.path + key, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

func compileLimit(name string, config Limit) (*limit, []error) {
	c := &limitCompiler{path: "limits." + name}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) || name == "" {
		c.fail("", "write letters, digits and dashes, such as per-user", "%q is not a name that a header field can carry", name)
	}
	l := &limit{name: name, plans: config.Plans, shadow: config.Shadow, advertised: config.Headers, quota: c.quota(&config),
		consistency: config.Consistency, onStoreError: config.OnStoreError}
	c.oneOf(".consistency", string(config.Consistency), string(Exact), string(Leased))
	c.oneOf(".on_store_error", string(config.OnStoreError), string(StoreErrorLocal), string(StoreErrorAllow), string(StoreErrorDeny))
	c.plans(config.Plans)
	l.roles = c.roles(config.Roles)
	l.cost = c.cost(&config, l.quota)
	l.exempt = c.exempt(config.Allow)
	c.keys(config.Key, l)
	l.definition = define(config.Key, l)
	c.stage(&config, l)
	return l, c.errs
}

// define hashes what a limit counts by: its key and every quota it may be judged
// by. What is not in it, such as cost, can change without forgetting a count.
func define(key StringList, l *limit) uint64 {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode([]any{key, l.quota, l.plans, l.roles}) // a hash takes everything
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// oneOf reports a word that is not empty and none of the known.
func (c *limitCompiler) oneOf(key, word string, known ...string) {
	if word != "" && !slices.Contains(known, word) {
		c.fail(key, didYouMean(word, known...), "unknown value %q", word)
	}
}

func (c *limitCompiler) quota(config *Limit) Quota {
	q := Quota{Algorithm: cmp.Or(config.Algorithm, SlidingWindow), Limit: config.Limit, Window: config.Window.Std(), Burst: cmp.Or(config.Burst, config.Limit)}
	if !slices.Contains(algorithms, q.Algorithm) {
		c.fail(".algorithm", didYouMean(string(q.Algorithm), texts(algorithms)...), "unknown algorithm %q", q.Algorithm)
	}
	if q.Limit < 1 || q.Limit > maxQuota {
		c.fail(".limit", "write how many requests may pass per window", "%d is not a limit", q.Limit)
	}
	if q.Window < time.Second || q.Window > 31*24*time.Hour {
		c.fail(".window", "write a time from 1s to 31d", "the window is missing or out of range")
	}
	switch {
	case config.Burst < 0 || config.Burst > maxQuota:
		c.fail(".burst", "", "%d is not a burst", config.Burst)
	case config.Burst > 0 && q.Algorithm != TokenBucket:
		c.fail(".burst", "use algorithm: token_bucket, or remove it", "a %s has no burst", strings.ReplaceAll(string(q.Algorithm), "_", " "))
	}
	return q
}

var algorithms = []Algorithm{SlidingWindow, FixedWindow, TokenBucket}

func (c *limitCompiler) plans(plans map[string]int) {
	for _, plan := range sortedKeys(plans) {
		if n := plans[plan]; n < 1 || n > maxQuota {
			c.fail(".plans."+plan, "", "%d is not a limit", n)
		}
		if _, ok := parseEntitlement(plan); !ok {
			c.fail(".plans."+plan, "write pro, org:pro or user:pro", "%q is not a plan", plan)
		}
	}
}

func (c *limitCompiler) roles(roles map[string]int) map[string]int {
	bare := make(map[string]int, len(roles))
	for _, role := range sortedKeys(roles) {
		if n := roles[role]; n < 1 || n > maxQuota {
			c.fail(".roles."+role, "", "%d is not a limit", n)
		}
		key := bareKey(role)
		if _, again := bare[key]; again || key == "" {
			c.fail(".roles."+role, "write each role once, such as org:admin", "%q is not a role, or is listed twice", role)
		}
		bare[key] = roles[role]
	}
	return bare
}

func (c *limitCompiler) cost(config *Limit, q Quota) Cost {
	most := leastQuota(config, q)
	costs := make(Cost, len(config.Cost))
	for _, written := range sortedKeys(config.Cost) {
		method, ok := readMethod(written)
		if strings.EqualFold(written, anyMethod) {
			method, ok = anyMethod, true
		}
		if !ok {
			c.fail(".cost", suggestMethod(written)+`; also any`, "%q is not a method", written)
		}
		if _, again := costs[method]; again {
			c.fail(".cost", "write it once", "the cost of %s is there twice", method)
		}
		costs[method] = config.Cost[written]
		if n := config.Cost[written]; n < 0 || n > most {
			c.fail(".cost", fmt.Sprintf("write a number from 0 to %d", most), "a request that costs %d could never pass", n)
		}
	}
	return costs
}

// leastQuota is the most that a request may cost under any of the quotas.
func leastQuota(config *Limit, q Quota) int {
	least := q.Limit
	if q.Algorithm == TokenBucket {
		least = q.Burst
	}
	for _, quotas := range []map[string]int{config.Plans, config.Roles} {
		for _, n := range quotas {
			if q.Algorithm == TokenBucket {
				n = scaleBurst(q, n)
			}
			least = min(least, n)
		}
	}
	return least
}

func (c *limitCompiler) exempt(list StringList) []netip.Prefix {
	var exempt []netip.Prefix
	for i, text := range list {
		prefix, err := parsePrefix(text)
		if err != nil || prefix.Bits() == 0 {
			c.fail(fmt.Sprintf(".allow[%d]", i), "write 10.0.0.0/8 or 192.0.2.7", "%q names no clients to leave out", text)
		}
		exempt = append(exempt, prefix)
	}
	return exempt
}

func (c *limitCompiler) keys(list StringList, l *limit) {
	if len(list) == 0 {
		c.fail(".key", "write what is counted apart, such as user or ip", "the limit has no key")
	}
	for i, text := range list {
		key, ok, err := compileLimitKey(text)
		switch at := fmt.Sprintf(".key[%d]", i); {
		case err != nil:
			c.errs = append(c.errs, atPath(c.path+at, err))
		case !ok:
			c.fail(at, didYouMean(text, slices.Sorted(maps.Keys(limitKeys))...)+"; also header:<name>, claims.<path>, :<path parameter>", "unknown key %q", text)
		}
		l.keys = append(l.keys, key)
	}
}

// stage decides when the limit is taken: as early as it can be, unless the
// configuration says later.
func (c *limitCompiler) stage(config *Limit, l *limit) {
	l.early = len(config.Plans) == 0 && len(config.Roles) == 0 && !slices.ContainsFunc(l.keys, func(k limitKey) bool { return !k.early })
	switch config.Stage {
	case "":
	case BeforeAuth:
		if !l.early {
			c.fail(".stage", "count by ip, header:<name>, rule or a path parameter, without plans and roles", "the limit depends on the principal, who is not known before authentication")
		}
	case AfterAuth:
		l.early = false
	default:
		c.fail(".stage", didYouMean(string(config.Stage), string(BeforeAuth), string(AfterAuth)), "unknown stage %q", config.Stage)
	}
}

// of is what a request of that method counts for.
func (c Cost) of(method string) int {
	if len(c) == 0 {
		return 1
	}
	if n, ok := c[method]; ok {
		return n
	}
	if n, ok := c["GET"]; ok && method == "HEAD" {
		return n
	}
	if n, ok := c[anyMethod]; ok {
		return n
	}
	return 1
}

const anyMethod = "any"

// UnmarshalJSON reads a number, or numbers by method.
func (c *Cost) UnmarshalJSON(data []byte) error {
	var n *int
	if err := json.Unmarshal(data, &n); err == nil && n != nil {
		*c = Cost{anyMethod: *n}
		return nil
	}
	var methods map[string]int
	if err := json.Unmarshal(data, &methods); err != nil || len(methods) == 0 {
		return errors.New("expected a whole number, or one for each method: {POST: 5, any: 1}")
	}
	*c = methods
	return nil
}

// MarshalJSON writes a number where all methods cost the same.
func (c Cost) MarshalJSON() ([]byte, error) {
	if n, ok := c[anyMethod]; ok && len(c) == 1 {
		return json.Marshal(n)
	}
	return json.Marshal(map[string]int(c))
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func texts[T ~string](words []T) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return list
}
