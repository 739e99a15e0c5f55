package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/target"
)

// maxKey bounds the text of a limit key; longer ones are hashed.
const maxKey = 64

// limitKey reads one part of a key. kind keeps parts of different kinds apart.
type limitKey struct {
	kind  byte
	early bool
	read  func(s *subject) string
	// written turns the part as a person writes it into what read returns; nil
	// where that is the same.
	written func(text string) (string, error)
	// param is the path parameter that is read, header the header.
	param, header string
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
	"token":   {kind: keyToken, read: identityPart(func(p *Principal) string { return p.TokenDigest }), written: writtenDigest},
	"ip":      {kind: keyIP, early: true, read: func(s *subject) string { return addressPart(s.client) }, written: writtenAddress},
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

// noAddress is the part of clients whose address is not known.
const noAddress = "?"

// addressPart is the client's network in its binary form: one client has one
// key in every notation.
func addressPart(client ClientAddr) string {
	network := client.Network()
	if !network.IsValid() {
		return noAddress
	}
	addr := network.Addr().As16()
	return string(addr[:])
}

// compileLimitKey reads one word of a key. Without an error, false means that there
// is no such word.
func compileLimitKey(text string) (limitKey, bool, error) {
	if key, ok := limitKeys[text]; ok {
		return key, true, nil
	}
	if text == "organization" {
		return limitKeys["org"], true, nil
	}
	if name, ok := strings.CutPrefix(text, "header:"); ok && validHeaderName(name) {
		return limitKey{kind: keyHeader, early: true, header: name, read: func(s *subject) string {
			value, _ := headerValue(s.request.Headers, name)
			return value
		}}, true, nil
	}
	if path, ok := strings.CutPrefix(text, "claims."); ok && path != "" {
		steps, err := claimSteps(path)
		if err != nil {
			return limitKey{}, false, err
		}
		return limitKey{kind: keyClaim, read: identityPart(func(p *Principal) string {
			value, _ := claimAt(p.Claims, steps)
			return claimText(value)
		})}, true, nil
	}
	if name, ok := strings.CutPrefix(text, ":"); ok && name != "" {
		return limitKey{kind: keyParam, early: true, param: name, written: writtenParam, read: func(s *subject) string {
			value, _ := s.params.Get(name)
			return paramPart(value, s.target)
		}}, true, nil
	}
	return limitKey{}, false, nil
}

// paramPart is the value of a path parameter in the one form that all its spellings
// have: as patterns are matched and as paths are read, without case, without what
// upstreams trim, and at the end of the path without a file extension.
func paramPart(value string, t *target.Target) string {
	value = strings.TrimRight(value, "/")
	if dot := strings.LastIndexByte(value, '.'); dot > 0 && slices.ContainsFunc(t.Readings, func(reading string) bool {
		return strings.HasSuffix(strings.TrimRight(reading, "/"), "/"+value)
	}) {
		value = value[:dot]
	}
	return writtenParamPart(value)
}

func writtenParamPart(value string) string {
	return strings.TrimRight(strings.ToLower(target.FoldUnicode(value)), ". ")
}

// headerValue is what is counted by a header. Of two that differ an upstream takes
// either, and in either spelling of the name, so it cannot be known.
func headerValue(headers []Header, name string) (value string, same bool) {
	for i := range headers {
		if !sameFolded(headers[i].Name, name) {
			continue
		}
		v := strings.Trim(headers[i].Value, " \t")
		if value != "" && v != value {
			return "", false
		}
		value = v
	}
	return value, true
}

// key builds what is counted.
func (l *limit) key(s *subject) (string, Reason) {
	var buf [maxKey]byte
	k := keyText(buf[:0])
	for i := range l.keys {
		part := &l.keys[i]
		if part.header != "" {
			if _, same := headerValue(s.request.Headers, part.header); !same {
				return "", ReasonHeaderRepeated
			}
		}
		k = k.add(part.kind, part.read(s), s.client)
	}
	return k.String(), ""
}

// named reports whether strangers can name the key: whether any part of it is theirs
// to choose, or an address in the place of one that the request does not have.
func (l *limit) named(s *subject) bool {
	for i := range l.keys {
		part := &l.keys[i]
		if part.kind == keyIP || part.kind == keyHeader || part.kind == keyParam || part.read(s) == "" {
			return true
		}
	}
	return false
}

// keyText is a key in the making.
type keyText []byte

// add adds a part. One the request does not have is replaced by its address, so
// that no client escapes a limit by leaving something out. Every part carries its
// kind and length, so that no two different requests share one key whatever
// text they hold.
func (k keyText) add(kind byte, text string, client ClientAddr) keyText {
	if text == "" {
		kind, text = keyIP, addressPart(client)
	}
	k = append(k, kind)
	k = binary.AppendUvarint(k, uint64(len(text)))
	return append(k, text...)
}

// String is the key, in bounded length.
func (k keyText) String() string {
	if len(k) > maxKey {
		sum := sha256.Sum256(k)
		return string(sum[:])
	}
	return string(k)
}
