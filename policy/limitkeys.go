package policy

import (
	"crypto/sha256"
	"encoding/binary"
	"strings"
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
		return limitKey{kind: keyParam, early: true, param: name, written: writtenParam, read: func(s *subject) string {
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

// key builds what is counted.
func (l *limit) key(s *subject) string {
	var buf [maxKey]byte
	k := keyText(buf[:0])
	for i := range l.keys {
		part := &l.keys[i]
		k = k.add(part.kind, part.read(s), s.client)
	}
	return k.String()
}

// keyText is a key in the making.
type keyText []byte

// add adds a part. One the request does not have is replaced by its address, so
// that nobody escapes a limit by leaving something out. Every part carries its
// kind and length, so that no two different requests meet in one key whatever
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
