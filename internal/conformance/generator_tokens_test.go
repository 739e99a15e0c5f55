package conformance

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha512" // RS384 and RS512
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	generatedKid = "ins_generated"
	sessionClass = `"cl_B7d4PD111AAA"`
	machineClass = `"cl_B7d4PD333AAA"`
	ignoredClass = `"cl_I7d4PD111III"`
)

// text writes an object, now and then in a form that few take for JSON.
func (g *generator) text(object raw) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(object)) {
		parts = append(parts, fmt.Sprintf("%q:%s", name, object[name]))
	}
	if len(parts) > 0 && g.chance(30) {
		parts = append(parts, parts[g.IntN(len(parts))])
	}
	out := "{" + strings.Join(parts, ",") + "}"
	if !g.chance(40) {
		return out
	}
	return g.one("\ufeff"+out, " "+out+"\n", out+"x", "null", "true", "1", `"x"`, "[]", "["+out+"]", "", "{", out+"\x00", "\v"+out, `{"a":"`+"\xff"+`",`+out[1:])
}

func segment(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// token signs what it is given, mostly as it should be signed.
func (g *generator) token(header, claims raw) string {
	signed := segment(g.text(header)) + "." + segment(g.text(claims))
	hash, key := crypto.SHA256, g.keys[0]
	switch header["alg"] {
	case `"RS384"`:
		hash = crypto.SHA384
	case `"RS512"`:
		hash = crypto.SHA512
	}
	if g.chance(25) {
		key = g.keys[1]
	}
	h := hash.New()
	h.Write([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, key, hash, h.Sum(nil))
	if err != nil {
		panic(err)
	}
	out := signed + "." + base64.RawURLEncoding.EncodeToString(signature)
	if !g.chance(20) {
		return out
	}
	return g.one(signed, signed+".", signed+".AAAA", out+"=", out+"==", out+".", out+".x", "."+out, strings.Replace(out, ".", "=.", 1),
		strings.Replace(out, ".", "..", 1), out[:len(out)-1], out+"A", strings.ReplaceAll(out, "-", "+"), out+"%20", "%20"+out, out+"%0A", strings.Replace(out, ".", "%2E", 1), "a.b.c", "x")
}

var (
	headerNames = []string{"alg", "kid", "typ", "cat", "cty", "crit", "b64", "enc", "zip", "jwk", "jku"}
	claimNames  = []string{"exp", "nbf", "iat", "sub", "sid", "iss", "azp", "aud", "sts", "v", "o", "fea", "pla", "fva", "act",
		"org_id", "org_slug", "org_role", "org_permissions", "jti", "scopes", "scope", "scp", "client_id", "exp", "nbf", "iat"}
	keyNames    = []string{"kty", "kid", "alg", "use", "key_ops", "n", "e", "d", "k", "x5c", "ext", "crv", "oth"}
	answerNames = []string{"id", "subject", "scopes", "claims", "revoked", "expired", "expiration", "created_at", "aud", "client_id", "act", "name", "type"}
)

// header of a token, changed now and then.
func (g *generator) header(now int64, typ, category string) raw {
	h := raw{"alg": `"RS256"`, "kid": `"` + generatedKid + `"`, "typ": typ, "cat": category}
	if category == "" {
		delete(h, "cat")
	}
	if !g.chance(6) {
		return h
	}
	switch g.IntN(5) {
	case 0:
		h["alg"] = g.one(`"none"`, `"None"`, `"HS256"`, `"RS384"`, `"RS512"`, `"PS256"`, `"ES256"`, `"rs256"`, `""`, "null", `["RS256"]`, "256")
	case 1:
		h["typ"] = g.one(`"JWT"`, `"jwt"`, `"at+jwt"`, `"application/at+jwt"`, `"AT+JWT"`, `"application/jwt"`, "null", `""`, `["JWT"]`)
	case 2:
		h["cat"] = g.one(sessionClass, machineClass, ignoredClass, `"cl_B7d4PD222AAA"`, "null", `""`)
	default:
		g.members(h, now, headerNames...)
	}
	return h
}

// sessionClaims of an instance's session.
func (g *generator) sessionClaims(now int64, issuer, party string) raw {
	c := raw{"sub": `"user_1"`, "sid": `"sess_1"`, "iss": `"` + issuer + `"`, "azp": `"` + party + `"`, "iat": fmt.Sprint(now - 10), "nbf": fmt.Sprint(now - 20), "exp": fmt.Sprint(now + 50), "v": "2"}
	switch g.IntN(6) {
	case 0:
		c["exp"], c["iat"] = fmt.Sprint(now-100), fmt.Sprint(now-160)
	case 1:
		c["o"] = `{"id":"org_1","slg":"acme","rol":"admin","per":"read,write","fpm":"3,1"}`
		c["fea"] = `"o:posts,o:users"`
		if g.chance(3) {
			c["o"] = fmt.Sprintf(`{"id":%s,"slg":%s,"rol":%s,"per":%s,"fpm":%s}`, g.odd(now), g.odd(now), g.odd(now), g.odd(now), g.odd(now))
		}
	case 2:
		delete(c, "v")
		c["org_id"], c["org_slug"], c["org_role"], c["org_permissions"] = `"org_1"`, `"acme"`, `"org:admin"`, `["org:posts:read"]`
	}
	if g.chance(2) {
		g.members(c, now, claimNames...)
	}
	return c
}

// machineClaims of a machine or a client of OAuth.
func (g *generator) machineClaims(now int64, issuer, subject string) raw {
	c := raw{"sub": subject, "iss": `"` + issuer + `"`, "jti": `"jti_1"`, "client_id": `"client_1"`, "iat": fmt.Sprint(now - 10), "nbf": fmt.Sprint(now - 20), "exp": fmt.Sprint(now + 50), "scope": `"read write"`, "scopes": `"mch_2 mch_3"`}
	if g.chance(2) {
		g.members(c, now, claimNames...)
	}
	return c
}

// bearer is a token for the Authorization field, of any type.
func (g *generator) bearer(now int64, issuer, party string) string {
	switch g.IntN(6) {
	case 0:
		return g.token(g.header(now, `"JWT"`, machineClass), g.machineClaims(now, issuer, `"mch_1"`))
	case 1:
		return g.token(g.header(now, g.one(`"at+jwt"`, `"application/at+jwt"`), ""), g.machineClaims(now, issuer, `"user_1"`))
	case 2:
		return g.one("ak_", "mt_", "oat_", "AK_", "ak", "m2m_", "oat") + g.one("", "x", "secret", "a.b.c", "..", "%41", g.token(g.header(now, `"JWT"`, sessionClass), g.machineClaims(now, issuer, `"mch_1"`)))
	}
	return g.token(g.header(now, `"JWT"`, g.one(sessionClass, sessionClass, "")), g.sessionClaims(now, issuer, party))
}
