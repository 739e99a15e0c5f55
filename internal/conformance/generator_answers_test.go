package conformance

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
)

// keySet is the answer about the keys.
func (g *generator) keySet(now int64) backendAnswer {
	public := g.keys[0].PublicKey
	key := raw{"kty": `"RSA"`, "kid": `"` + generatedKid + `"`, "alg": `"RS256"`, "use": `"sig"`, "n": `"` + base64.RawURLEncoding.EncodeToString(public.N.Bytes()) + `"`, "e": `"AQAB"`}
	other := maps.Clone(key)
	other["kid"] = g.one(`"ins_other"`, `"ins_other"`, `"`+generatedKid+`"`)
	other["n"] = `"` + base64.RawURLEncoding.EncodeToString(g.keys[1].N.Bytes()) + `"`
	if g.chance(8) {
		g.members(key, now, keyNames...)
	}
	if g.chance(8) {
		g.members(other, now, keyNames...)
	}
	object := func(r raw) string { // never in an odd form, which would be for all
		text, _ := json.Marshal(r.values())
		return string(text)
	}
	list := g.one(object(key), object(key)+","+object(other), object(other)+","+object(key))
	if g.chance(40) {
		list += g.one(",null", ",1", `,"x"`, ",[]", ",{}", `,{"kid":null}`)
	}
	body := `{"keys":[` + list + `]}`
	if g.chance(50) {
		body = g.one(`{"keys":[]}`, `{"keys":null}`, `{}`, `null`, `[]`, `{"keys":{}}`, `{"keys":"x"}`, `{"keys":`+object(key)+`}`, `{"keys":1}`, `{"keys":true}`)
	}
	return backendAnswer{Method: "GET", Path: "/v1/jwks", Status: 200, Body: json.RawMessage(body)}
}

func (r raw) values() map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	for name, text := range r {
		out[name] = json.RawMessage(text)
	}
	return out
}

// answer is Clerk's word about an opaque token, mostly a good one.
func (g *generator) answer(now int64, path, subject, object string) backendAnswer {
	a := raw{"id": `"id_1"`, "subject": subject, "scopes": `["read"]`, "claims": "null", "revoked": "false", "expired": "false", "expiration": fmt.Sprint((now + 100) * 1000), "created_at": fmt.Sprint((now - 100) * 1000), "client_id": `"client_1"`, "name": `"n"`, "type": `"t"`, "object": `"` + object + `"`}
	if g.chance(2) {
		g.members(a, now, answerNames...)
	}
	text, _ := json.Marshal(a.values())
	out := backendAnswer{Method: "POST", Path: path, Status: 200, Body: text}
	if g.chance(6) {
		out.Status = []int{400, 401, 403, 404, 422, 429, 500, 503}[g.IntN(8)]
		out.Body = json.RawMessage(`{"errors":[{"message":"m","long_message":"m","code":"c"}]}`)
	}
	return out
}

// refreshed is the answer to a refresh.
func (g *generator) refreshed(now int64, issuer, party string) backendAnswer {
	renewed := g.token(g.header(now, `"JWT"`, sessionClass), g.sessionClaims(now, issuer, party))
	body := fmt.Sprintf(`{"object":"cookies","cookies":[%q,"x=y"]}`, "__session="+renewed+"; Path=/")
	if g.chance(4) {
		body = g.one(`{"cookies":[]}`, `{"object":"cookies","cookies":null}`, `{"object":"cookies","cookies":["__session="]}`, `null`, `{}`, `[]`, `{"object":"cookies","cookies":["__session=; Path=/"]}`, `{"object":"cookies","cookies":[""]}`)
	}
	out := backendAnswer{Method: "POST", Path: "/v1/client/sessions/sess_1/refresh", Status: 200, Body: json.RawMessage(body)}
	out.Path = "/v1/sessions/sess_1/refresh"
	if g.chance(4) {
		out.Status = []int{400, 401, 404, 408, 422, 429, 500, 503}[g.IntN(8)]
		out.Body = json.RawMessage(g.one(`{"errors":[{"message":"m","long_message":"m","code":"invalid_refresh_token"}]}`, `{}`, `null`, `{"errors":[]}`, `{"errors":[{"code":"unexpected_error"}]}`))
	}
	return out
}

// exchanged is the answer about the nonce of a handshake.
func (g *generator) exchanged(now int64, issuer, party string) backendAnswer {
	out := backendAnswer{Method: "GET", Path: "/v1/clients/handshake_payload", Status: 200, Body: json.RawMessage(`{"directives":` + g.directives(now, issuer, party) + `}`)}
	if g.chance(4) {
		out.Status = []int{400, 401, 404, 408, 422, 429, 500, 503}[g.IntN(8)]
		out.Body = json.RawMessage(g.one(`{"errors":[{"message":"m","long_message":"m","code":"not_found"}]}`, `{}`, `null`, `{"errors":[]}`))
	}
	return out
}

// directives are the cookies that a handshake sets.
func (g *generator) directives(now int64, issuer, party string) string {
	set := "__session=" + g.token(g.header(now, `"JWT"`, sessionClass), g.sessionClaims(now, issuer, party)) + "; Path=/"
	return g.one(fmt.Sprintf("[%q,%q]", set, fmt.Sprintf("__client_uat=%d; Path=/", now-1000)), fmt.Sprintf("[%q,%q]", set, fmt.Sprintf("__client_uat=%d; Path=/", now-1000)),
		fmt.Sprintf("[%q]", set), `["__session=; Path=/","__client_uat=0; Path=/"]`, "[]", `[""]`, `["x"]`)
}
