package policy

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxIdentityValue bounds the value of an identity header; a longer one is
// left out. Proxies bound all fields together at 60 KiB and less.
const maxIdentityValue = 4096

// defaultIdentityHeaders is what the upstream learns where the configuration
// says nothing.
var defaultIdentityHeaders = map[string]string{
	"X-User-Id":         "user_id",
	"X-Session-Id":      "session_id",
	"X-Org-Id":          "org_id",
	"X-Org-Slug":        "org_slug",
	"X-Org-Role":        "org_role",
	"X-Org-Permissions": "org_permissions",
	"X-Auth-Type":       "token_type",
}

// NeverForwarded reports whether a field, in any spelling, names another path,
// method, host or identity to somebody who reads it: those that are dropped from
// every request, and what upstreams read as an identity by default.
func NeverForwarded(name string) bool {
	folded := foldName(name)
	if isOverride(folded) || slices.ContainsFunc(identities, func(o override) bool { return o.name == folded }) {
		return true
	}
	for identity := range defaultIdentityHeaders {
		if folded == foldName(identity) {
			return true
		}
	}
	return false
}

// identitySource reads the value of one identity header; "" means absent.
type identitySource func(p *Principal) string

// identityHeader is one header the upstream may receive.
type identityHeader struct {
	name   string
	source identitySource
}

// headerRules hold the header edits prepared for every request.
type headerRules struct {
	identity []identityHeader
	// dropped are the folded names that clients may not send.
	dropped map[string]bool
	// settable are the folded names of what a decision may set.
	settable map[string]bool
	// first are the lengths of dropped names, a bit for each, by their folded first
	// byte: most fields of a request differ in it.
	first [256]uint64
	// issued are the headers, in wire form, that some requests receive beside
	// those of the identity.
	issued []string
	// names are all of both: what is removed where there is no principal.
	names []string
	// unseen is what is removed besides where the proxy may keep fields from us.
	unseen []string
}

// identityHeaders are the edits for one principal under one policy.
type identityHeaders struct {
	rules  *headerRules
	set    []Header
	remove []string
}

// compileHeaders prepares the header edits. Errors name the header.
func compileHeaders(config map[string]string) (*headerRules, []error) {
	if config == nil {
		config = defaultIdentityHeaders
	}
	rules := &headerRules{dropped: map[string]bool{}, settable: map[string]bool{"authorization": true, "cookie": true}}
	var errs []error
	for name, from := range config {
		path := fmt.Sprintf("identity_headers[%q]", name)
		folded := foldName(name)
		switch {
		case !validHeaderName(name):
			errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q is not a header name", name), Suggestion: "write letters, digits and dashes, such as X-User-Id"})
		case reservedHeader(folded):
			errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q has a meaning of its own in HTTP and cannot carry an identity", name)})
		case rules.settable[folded]:
			errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q folds to the same name as another identity header", name)})
		default:
			source, err := compileIdentitySource(from)
			if err != nil {
				errs = append(errs, atPath(path, err))
			}
			rules.dropped[folded], rules.settable[folded] = true, true
			rules.identity = append(rules.identity, identityHeader{http.CanonicalHeaderKey(name), source})
		}
	}
	slices.SortFunc(rules.identity, func(a, b identityHeader) int { return strings.Compare(a.name, b.name) })
	rules.names = make([]string, len(rules.identity)) // no room to append to what requests share
	for i, h := range rules.identity {
		rules.names[i] = h.name
	}
	for _, o := range slices.Concat(overrides, identities) {
		rules.dropped[o.name] = true
	}
	for name := range rules.dropped {
		rules.first[name[0]] |= lengthBit(name)
	}
	rules.first['x'] = ^uint64(0) // the override prefixes
	return rules, errs
}

func compileIdentitySource(from string) (identitySource, error) {
	if attribute, ok := AttributeNamed(from); ok {
		return attribute.Text, nil
	}
	if path, ok := strings.CutPrefix(from, "claims."); ok && path != "" {
		steps, err := claimSteps(path)
		if err != nil {
			return nil, err
		}
		return func(p *Principal) string {
			value, _ := claimAt(p.Claims, steps)
			return claimText(value)
		}, nil
	}
	return nil, &ConfigError{Msg: fmt.Sprintf("%q is not an attribute of a principal", from), Suggestion: "write " + strings.Join(attributeNames(), ", ") + " or claims.<path>"}
}

// edits returns what to set and what to remove upstream for a request that may
// pass, with principal nil for an anonymous one. The common case, where the
// client sent no owned name, allocates nothing once the principal is known.
func (rules *headerRules) edits(p *Principal, sent []string) (set []Header, remove []string) {
	set, remove = nil, rules.names
	if p != nil {
		prepared := p.identity.Load()
		if prepared == nil || prepared.rules != rules {
			prepared = rules.prepare(p)
			p.identity.Store(prepared)
		}
		set, remove = prepared.set, prepared.remove
	}
	if len(sent) == 0 {
		return set, remove
	}
	remove = slices.Clone(remove)
	for _, name := range sent {
		if !containsName(remove, name) && !setsName(set, name) {
			remove = append(remove, name)
		}
	}
	return set, remove
}

func (rules *headerRules) prepare(p *Principal) *identityHeaders {
	prepared := &identityHeaders{rules: rules}
	for _, h := range rules.identity {
		if value, ok := fieldValue(h.source(p)); ok {
			prepared.set = append(prepared.set, Header{h.name, value})
		} else {
			prepared.remove = append(prepared.remove, h.name)
		}
	}
	prepared.remove = append(prepared.remove, rules.issued...)
	prepared.set, prepared.remove = slices.Clip(prepared.set), slices.Clip(prepared.remove)
	return prepared
}

// isDropped reports whether a client may not send a field of that name, however
// it is spelt.
func (rules *headerRules) isDropped(name string) bool {
	if rules.first[foldByte(name[0])]&lengthBit(name) == 0 {
		return false
	}
	var room [ordinaryName]byte
	folded := appendFolded(room[:0], name)
	return rules.dropped[string(folded)] || folded[0] == 'x' && hasOverridePrefix(string(folded))
}

// lengthBit is the bit of a name's length; one for all from 63 on.
func lengthBit(name string) uint64 { return 1 << min(len(name), 63) }

// maySet reports whether a decision may set a header of that name, however it is
// spelt.
func (rules *headerRules) maySet(name string) bool {
	var room [ordinaryName]byte
	return rules.settable[string(appendFolded(room[:0], name))]
}

// ordinaryName is the length up to which a name is folded without memory.
const ordinaryName = 64

// editsUnseen is edits for a request of which the proxy may have kept fields from
// us: all that clients may not send is removed by its name.
func (rules *headerRules) editsUnseen(p *Principal, sent []string, webSocket bool) (set []Header, remove []string) {
	set, remove = rules.edits(p, sent)
	remove = slices.Clone(remove)
	for _, name := range rules.unseen {
		if !setsName(set, name) && !(webSocket && (name == upgradeHeader || name == connectionHeader)) {
			remove = append(remove, name)
		}
	}
	return set, remove
}

// droppedOf lists the fields that clients may not send, and every Upgrade.
func (rules *headerRules) droppedOf(headers []Header) []string {
	var names []string
	for _, h := range headers {
		if h.Name != "" && (rules.isDropped(h.Name) || strings.EqualFold(h.Name, upgradeHeader)) {
			names = append(names, h.Name)
		}
	}
	return names
}

// foldName maps a header name to the form in which upstreams of the CGI family
// would confuse it with others: lower case, everything that is not a letter or
// a digit a dash.
func foldName(name string) string { return string(appendFolded(nil, name)) }

func appendFolded(b []byte, name string) []byte {
	start := len(b)
	b = append(b, name...)
	for i, c := range b[start:] {
		b[start+i] = foldByte(c)
	}
	return b
}

// sameFolded reports whether two names fold to one.
func sameFolded(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if foldByte(a[i]) != foldByte(b[i]) {
			return false
		}
	}
	return true
}

func foldByte(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c + 'a' - 'A'
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	default:
		return '-'
	}
}

// validHeaderName reports whether name can be set as an identity header: the
// token characters of RFC 9110 § 5.6.2 that survive every proxy.
func validHeaderName(name string) bool {
	if name == "" || len(name) > 64 {
		return false
	}
	for i := range len(name) {
		if c := name[i]; foldByte(c) == '-' && c != '-' {
			return false
		}
	}
	return true
}

func reservedHeader(folded string) bool {
	switch folded {
	case "host", "authorization", "cookie", "connection", "content-length", "content-type", "transfer-encoding",
		"te", "trailer", "upgrade", "expect", "accept", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto":
		return true
	}
	return isOverride(folded) || strings.HasPrefix(folded, "sec-")
}

// fieldValue makes text fit for a header field, and reports whether it is
// worth one. Text that a field cannot hold as it is comes as an extended value
// (RFC 8187): UTF-8” and percent escapes.
func fieldValue(text string) (string, bool) {
	if text == "" || len(text) > maxIdentityValue {
		return "", false
	}
	plain := text[0] != ' ' && text[len(text)-1] != ' ' && !strings.HasPrefix(text, "UTF-8''")
	for i := 0; plain && i < len(text); i++ {
		plain = text[i] >= 0x20 && text[i] < 0x7f
	}
	if plain {
		return text, true
	}
	var b strings.Builder
	b.WriteString("UTF-8''")
	for i := range len(text) {
		if c := text[i]; foldByte(c) != '-' || c == '-' || c == '.' || c == '_' || c == '~' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String(), b.Len() <= maxIdentityValue
}

// claimAt walks decoded JSON. Every step names a member; nothing else is
// looked into.
func claimAt(claims map[string]any, steps []string) (any, bool) {
	var value any = claims
	for _, step := range steps {
		object, ok := value.(map[string]any)
		if !ok {
			return nil, false
		}
		if value, ok = object[step]; !ok {
			return nil, false
		}
	}
	return value, value != nil
}

// claimText writes a claim as header text: strings as they are, numbers and
// booleans as JSON, everything else as JSON.
func claimText(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		text, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(text)
	}
}

func containsName(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

func setsName(set []Header, name string) bool {
	return slices.ContainsFunc(set, func(h Header) bool { return strings.EqualFold(h.Name, name) })
}
