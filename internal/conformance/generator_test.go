package conformance

import (
	crand "crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/session"
)

// generator makes requests that are sound but for a few members, header fields or
// answers of Clerk, for which it takes values of every odd kind.
type generator struct {
	*rand.Rand
	keys [2]*rsa.PrivateKey // the instance's and a stranger's
	made int
}

func newGenerator(t *testing.T, seed uint64) *generator {
	t.Helper()
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	for i := range g.keys {
		key, err := rsa.GenerateKey(crand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		g.keys[i] = key
	}
	return g
}

// raw are the members of a JSON object, each as JSON text.
type raw map[string]string

func (g *generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) chance(in int) bool { return g.IntN(in) == 0 }

// odd is a value of any kind, as JSON text. Some are about the time now, in seconds.
func (g *generator) odd(now int64) string {
	switch g.IntN(5) {
	case 0: // near the time
		return fmt.Sprint(now + int64(g.IntN(40)-20))
	case 1:
		return fmt.Sprintf("%d.%d", now+int64(g.IntN(20)-10), g.IntN(1000))
	case 2:
		return fmt.Sprintf(`"%d"`, now+int64(g.IntN(400)-100))
	}
	return g.one("null", "true", "false", "0", "-0", "1", "-1", "2", "2.0", "1.5", "1e3", "1e20", "1e300", "-1e300", "8640000000000", "8640000000001",
		"9007199254740993", "253402300800", "4294967297", `""`, `" "`, `"0"`, `"x"`, `"1e20"`, `"0x7fffffff"`, `"NaN"`, `"Infinity"`, `"-Infinity"`, `"null"`,
		`"mch_1"`, `"user_1"`, `"ünï"`, `"\ud800"`, `"a b"`, `"\u0000"`, "[]", "[null]", "[0]", `[""]`, `["x"]`, `[1,2]`, `["x","y"]`, "[[]]",
		"{}", `{"sub":"user_2"}`, `{"id":"org_1"}`, `{"id":null}`, `{"length":1}`, `{"toString":1}`, `[{"toString":1}]`, `{"valueOf":1}`)
}

// members changes a few members, adds some or takes some away.
func (g *generator) members(object raw, now int64, names ...string) {
	for range g.IntN(3) {
		name := names[g.IntN(len(names))]
		if g.chance(5) {
			delete(object, name)
		} else {
			object[name] = g.odd(now)
		}
	}
}

// input is one request in full.
func (g *generator) input() authInput {
	g.made++
	nowMillis := int64(1750000000000) + int64(g.IntN(1000))
	now := nowMillis / 1000
	host, issuer, live := "app.example.com", "https://clerk.example.com", !g.chance(4)
	in := authInput{Now: nowMillis}
	in.Config.SecretKey = fmt.Sprintf("sk_live_generated%d", g.made) // the library's key sets are kept by it
	in.Config.PublishableKey = "pk_live_" + base64.StdEncoding.EncodeToString([]byte("clerk.example.com$"))
	if !live {
		issuer = "https://calm-otter-7.clerk.accounts.dev"
		in.Config.SecretKey = fmt.Sprintf("sk_test_generated%d", g.made)
		in.Config.PublishableKey = "pk_test_" + base64.StdEncoding.EncodeToString([]byte("calm-otter-7.clerk.accounts.dev$"))
	}
	party := "https://" + host
	if g.chance(3) {
		in.Config.AuthorizedParties = textOrTexts{party}
	}
	if g.chance(5) {
		in.Config.Audience = textOrTexts{"x"}
	}
	if g.chance(12) {
		in.Config.JWTKey = g.publicKey()
	}
	if g.chance(10) {
		skew := []float64{0, 1, 1000, 10000, -2000}[g.IntN(5)]
		in.Config.ClockSkew = &skew
	}
	in.Backend = []backendAnswer{
		g.keySet(now),
		g.answer(now, "/api_keys/verify", `"user_1"`, "api_key"),
		g.answer(now, "/m2m_tokens/verify", `"mch_1"`, "machine_to_machine_token"),
		g.answer(now, "/oauth_applications/access_tokens/verify", `"user_1"`, "clerk_idp_oauth_access_token"),
		g.refreshed(now, issuer, party),
		g.exchanged(now, issuer, party),
	}
	in.Request = authRequest{Method: g.one("GET", "GET", "GET", "POST", "HEAD"), URL: party + "/dashboard", Headers: [][2]string{{"host", host}}}
	if g.chance(2) {
		in.Request.Headers = append(in.Request.Headers, [2]string{"sec-fetch-dest", "document"})
	}
	if g.chance(3) {
		in.Config.Accepts = json.RawMessage(g.one(`"any"`, `"api_key"`, `"m2m_token"`, `"oauth_token"`, `["session_token","m2m_token"]`, `["session_token","oauth_token","api_key"]`, `["m2m_token","oauth_token"]`, `["oauth_token"]`, `"session_token"`))
	}
	if g.chance(2) {
		in.Request.Headers = append(in.Request.Headers, [2]string{"authorization", g.one("Bearer ", "Bearer ", "Bearer ", "Bearer ", "") + g.bearer(now, issuer, party)})
	} else {
		in.Request.Headers = append(in.Request.Headers, [2]string{"cookie", g.cookies(now, issuer, party, &in)})
	}
	return in
}

// cookies of a browser, of either family or both.
func (g *generator) cookies(now int64, issuer, party string, in *authInput) string {
	suffix := "_" + session.CookieSuffix(in.Config.PublishableKey)
	var out []string
	add := func(name, value string) { out = append(out, name+"="+value) }
	for _, s := range []string{"", suffix} {
		if g.chance(3) {
			continue
		}
		if !g.chance(6) {
			value := g.token(g.header(now, `"JWT"`, g.one(sessionClass, sessionClass, sessionClass, "", machineClass)), g.sessionClaims(now, g.one(issuer, issuer, issuer, issuer, "https://clerk.other.com", "http://"+strings.TrimPrefix(issuer, "https://")), party))
			add("__session"+s, value)
			if g.chance(20) {
				add("__session"+s, g.one("", "x", value))
			}
		}
		if !g.chance(6) {
			add("__client_uat"+s, g.one(fmt.Sprint(now-1000), fmt.Sprint(now-1000), fmt.Sprint(now-1000), fmt.Sprint(now-1000), fmt.Sprint(now), "0", "0", "", "x", "-5", "1e3", "0x10", "00", " 0", "+0", "0.0", "12abc"))
		}
		if g.chance(2) {
			add("__clerk_db_jwt"+s, g.one("dvb_1", "dvb_1", ""))
		}
		if g.chance(3) {
			add("__refresh"+s, g.one("rt_1", "rt_1", "", "%C3%BC", "a b"))
		}
	}
	if g.chance(15) {
		add("__clerk_handshake", g.token(g.header(now, `"JWT"`, ""), raw{"handshake": g.directives(now, issuer, party)}))
	}
	if g.chance(15) {
		add("__clerk_handshake_nonce", g.one("nonce_1", "nonce_1", "", "a b", "%2e%2e"))
	}
	if g.chance(15) {
		add("__clerk_redirect_count", g.one("0", "1", "3", "4", "x", "1.5", "-1", ""))
	}
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return strings.Join(out, "; ")
}

// publicKey is the instance's key as its dashboard shows it.
func (g *generator) publicKey() string {
	der, err := x509.MarshalPKIXPublicKey(&g.keys[0].PublicKey)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}
