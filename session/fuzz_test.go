package session

import (
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

// No text but the token itself is the token. The text is the token with a piece
// replaced.
func FuzzVerify(f *testing.F) {
	token := mint.Token(f, nil)
	dot := strings.IndexByte(token, '.')
	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(len(token)), uint16(0), "=")
	f.Add(uint16(len(token)-1), uint16(1), "A")
	f.Add(uint16(dot), uint16(0), ".")
	f.Add(uint16(dot), uint16(0), "\n")
	f.Add(uint16(0), uint16(dot), "eyJhbGciOiJub25lIn0")
	f.Add(uint16(dot), uint16(len(token)), "")
	seen, unseen := testVerifier(f), NewVerifier(testRules, testKeys(f), nil)
	f.Fuzz(func(t *testing.T, at, length uint16, piece string) {
		from := min(int(at), len(token))
		text := token[:from] + piece + token[min(from+int(length), len(token)):]
		for _, v := range []*Verifier{seen, unseen} {
			p, err := v.Verify(t.Context(), text, now)
			if (err == nil) != (text == token) || (p == nil) != (err != nil) {
				t.Fatalf("%d bytes from %d as %q: principal %v, error %v", length, from, piece, p, err)
			}
		}
	})
}

// What the default takes, the reference takes, and what it takes is safe to put
// into a header.
func FuzzClaims(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"user_1","exp":1750000060,"iss":"https://clerk.example.com","azp":"https://app.example.com"}`,
		`{"v":2,"sub":"user_1","exp":1750000060,"fea":"o:a,u:b","o":{"id":"org_1","rol":"admin","per":"x,y","fpm":"3,1"},"fva":[1,-1]}`,
		`{"sub":"user_1","org_id":"org_1","org_role":"org:admin","org_permissions":["org:a:b"],"act":{"sub":"user_2"},"sts":"pending"}`,
		`{"v":2,"o":{"fpm":"99999999999999999999999","per":","},"fea":":,:"}`,
		`[]`,
	} {
		f.Add([]byte(seed))
	}
	relaxed := testRules
	relaxed.relaxed = compat.Reference
	f.Fuzz(func(t *testing.T, data []byte) {
		claims, err := decodeObject(data, compat.Relaxations{})
		if err != nil {
			return
		}
		if _, err := decodeObject(data, compat.Reference); err != nil {
			t.Fatalf("strict JSON is not JSON: %v", err)
		}
		rules := testRules
		if rules.checkClaims(claims, now) == nil && relaxed.checkClaims(claims, now) != nil {
			t.Fatal("the default takes what the reference refuses")
		}
		strict, err := readClaims(claims, compat.Relaxations{})
		lenient, lenientErr := readClaims(claims, compat.Reference)
		switch {
		case err == nil && lenientErr != nil:
			t.Fatalf("the default reads what the reference refuses: %v", lenientErr)
		case err == nil:
			checkSafe(t, strict)
			fallthrough
		case lenientErr == nil:
			policy.Has(lenient, policy.Asked{Feature: new("a"), Permission: new("org:a:x")})
		}
	})
}

func checkSafe(t *testing.T, p *policy.Principal) {
	t.Helper()
	for _, value := range append([]string{p.OrgID, p.OrgRole, p.OrgSlug, p.Actor}, p.OrgPermissions...) {
		if value != "" && !isIdentifier(strings.TrimPrefix(value, "org:")) {
			t.Fatalf("%q is in the principal", value)
		}
	}
}

// A session counts only where a cookie of that very name holds it.
func FuzzCookies(f *testing.F) {
	f.Add("", "")
	f.Add("a=b; ", "; c=d")
	f.Add("a=%3B", "")
	f.Add(`a="`, `"`)
	f.Add("x", ",")
	a := testAuthenticator(f, Config{})
	token := mint.Token(f, nil)
	f.Fuzz(func(t *testing.T, before, after string) {
		field := before + "__session=" + token + after
		got := a.Authenticate(t.Context(), &policy.Request{Headers: fields("Cookie", field)}, sessionsOnly, now)
		named := slices.ContainsFunc(strings.Split(field, ";"), func(piece string) bool {
			name, value, _ := strings.Cut(piece, "=")
			name = strings.Trim(name, " \t")
			return (name == "__session" || name == "__session_"+mint.Suffix) && strings.Trim(value, " \t") == token
		})
		if got.Status == policy.SignedIn && !named {
			t.Fatalf("signed in by %q", strings.ReplaceAll(field, token, "<token>"))
		}
		whole, parts := cookieJar{}, cookieJar{}
		a.readCookies(&whole, field+"; "+after)
		a.readCookies(&parts, field)
		a.readCookies(&parts, after)
		if !slices.Equal(whole.plain.sessions, parts.plain.sessions) || !slices.Equal(whole.suffixed.uats, parts.suffixed.uats) {
			t.Fatal("one field and two read differently")
		}
	})
}

// The answer of a handshake counts as the key signed it, or not at all. The text
// is the answer with a piece replaced.
func FuzzHandshake(f *testing.F) {
	answer := handshakeToken(f, object{"handshake": []string{"__session=" + mint.Token(f, nil)}})
	dot := strings.IndexByte(answer, '.')
	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(len(answer)), uint16(0), "=")
	f.Add(uint16(len(answer)-1), uint16(1), "A")
	f.Add(uint16(dot), uint16(0), "; __session=")
	f.Add(uint16(len(answer)), uint16(0), ";\r")
	f.Add(uint16(0), uint16(dot), "eyJhbGciOiJub25lIn0")
	a := testAuthenticator(f, Config{})
	f.Fuzz(func(t *testing.T, at, length uint16, piece string) {
		from := min(int(at), len(answer))
		text := answer[:from] + piece + answer[min(from+int(length), len(answer)):]
		got := a.Authenticate(t.Context(), navigation("/", sent+"; __clerk_handshake="+text), sessionsOnly, now)
		if got.Status == policy.SignedIn && !strings.HasPrefix(strings.Trim(text, " \t"), answer) {
			t.Fatalf("signed in by %d bytes from %d as %q", length, from, piece)
		}
		linked := a.Authenticate(t.Context(), navigation("/?__clerk_handshake="+text, sent), sessionsOnly, now)
		if linked.Status == policy.SignedIn {
			t.Fatal("signed in by a link")
		}
		checkFields(t, got)
		checkFields(t, linked)
	})
}

// Whatever cookies Clerk sets, they sign in by a token of the instance alone, and
// none becomes two header fields.
func FuzzDirectives(f *testing.F) {
	token := mint.Token(f, nil)
	f.Add("__session="+token+"; Path=/", "")
	f.Add("a=b", "__session_x="+token)
	f.Add("__session="+token, "__session=;")
	f.Add("__session", "\r\n")
	a := testAuthenticator(f, Config{})
	f.Fuzz(func(t *testing.T, first, second string) {
		renewed, ok := renewedCookies([]string{first, second})
		if !ok {
			return
		}
		v := a.visit(navigation("/", "__session=old; a=1; __clerk_handshake=x"), now)
		got, err := a.arrived(t.Context(), v, renewed)
		if err != nil {
			return
		}
		if got.Status == policy.SignedIn && !strings.Contains(first+"\n"+second, token) {
			t.Fatalf("signed in by %q and %q", first, second)
		}
		if strings.Contains(got.Forward.Cookie, "__clerk_handshake=x") {
			t.Fatalf("the handshake is forwarded: %q", got.Forward.Cookie)
		}
		checkFields(t, got)
	})
}

// checkFields holds what is sent back to what can stand in a header field.
func checkFields(t *testing.T, state policy.AuthState) {
	t.Helper()
	for _, h := range state.Headers {
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			t.Fatalf("%s splits into two fields: %q", h.Name, h.Value)
		}
		if h.Name == "Location" && !strings.HasPrefix(h.Value, "https://clerk.example.com/v1/client/handshake?") {
			t.Fatalf("sent to %q", h.Value)
		}
	}
	if state.Forward != nil && strings.ContainsAny(state.Forward.Cookie, "\r\n\x00") {
		t.Fatalf("forwarded cookies split: %q", state.Forward.Cookie)
	}
}

// However a request is put, a browser is only ever sent to the Frontend API, and
// back from there to this site.
func FuzzRedirect(f *testing.F) {
	f.Add("/a?b=c", "app.example.com", "https", "")
	f.Add("//evil.example/", "app.example.com", "https", "1")
	f.Add("https://evil.example/", "evil.example", "http", "2")
	f.Add("/?__clerk_redirect_url=https://evil.example/", "app.example.com:443", "https", "x")
	f.Add("/\\evil.example", "app.example.com@evil.example", "ftp", "-1")
	a := testAuthenticator(f, Config{})
	f.Fuzz(func(t *testing.T, target, host, scheme, count string) {
		r := navigation(target, "__client_uat=5; __clerk_redirect_count="+count, "X-Forwarded-Host", "evil.example", "Referer", target)
		r.Host, r.Scheme = host, scheme
		got := a.Authenticate(t.Context(), r, sessionsOnly, now)
		if got.Status == policy.SignedIn {
			t.Fatal("signed in without a session")
		}
		checkFields(t, got)
		location, err := url.Parse(headerOf(got.Headers, "Location"))
		if err != nil {
			t.Fatal(err)
		}
		if location.Host == "" {
			return
		}
		back, err := url.Parse(location.Query().Get("redirect_url"))
		if err != nil || back.Scheme != "https" || back.Host != "app.example.com" || back.User != nil {
			t.Fatalf("back to %v, %v", back, err)
		}
	})
}

// Whatever an endpoint answers, the keys taken from it are sound.
func FuzzJWKS(f *testing.F) {
	good := mint.JWK(mint.Kid, &mint.SigningKey().PublicKey)
	f.Add(mint.KeySet(f, good))
	f.Add(mint.KeySet(f, good, mint.With(good, object{"kid": "b", "e": "AQ"})))
	f.Add(mint.KeySet(f, good, good))
	f.Add(mint.KeySet(f, mint.With(good, object{"x5c": []string{"AQAB"}, "key_ops": []string{"verify"}})))
	f.Add([]byte(`{"keys":[{"kty":"RSA","kid":"a","n":"","e":""}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseKeySet(data, compat.Relaxations{})
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for kid, key := range keys {
			if kid == "" || key.ID != kid || !key.verifies("RS256") || key.verifies("RS512") && key.Algorithm != "" || checkPublic(key.Public) != nil {
				t.Fatalf("key %q: %+v", kid, key)
			}
		}
	})
}

// Refusing a token costs no more than 1 MiB, whatever it holds.
func TestVerifyBoundsItsMemory(t *testing.T) {
	wrap := func(header, payload string) string {
		return mint.Segment([]byte(header)) + "." + mint.Segment([]byte(payload)) + ".AA"
	}
	members := "{"
	for i := range 1000 {
		members += `"` + string(rune('a'+i%26)) + strings.Repeat("b", i%9) + string(rune('A'+i/26)) + `":[],`
	}
	v := testVerifier(t)
	for name, token := range map[string]string{
		"deep lists":       wrap(strings.Repeat("[", 12000), "{}"),
		"deep objects":     wrap("{}", strings.Repeat(`{"a":`, 2000)+"1"+strings.Repeat("}", 2000)),
		"many members":     wrap("{}", members+`"z":1}`),
		"many empty lists": wrap("{}", `{"a":[`+strings.Repeat("[],", 3900)+"1]}"),
		"many segments":    strings.Repeat("a.", 8000),
		"very long":        strings.Repeat("a", 10<<20),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := v.Verify(t.Context(), token, now)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 1<<20 {
			t.Errorf("%s: %d bytes, %v", name, used, err)
		} else {
			t.Logf("%s: %d bytes", name, used)
		}
	}
}
