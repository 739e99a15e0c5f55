package jwt

import (
	"runtime"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
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
	seen, unseen := testVerifier(f), NewVerifier(testExpected, testKeys(f), nil)
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
	relaxed := testExpected
	relaxed.relaxed = compat.Reference
	f.Fuzz(func(t *testing.T, data []byte) {
		claims, err := claim.DecodeObject(data, compat.Relaxations{})
		if err != nil {
			return
		}
		if _, err := claim.DecodeObject(data, compat.Reference); err != nil {
			t.Fatalf("strict JSON is not JSON: %v", err)
		}
		rules := testExpected
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
			policy.Has(lenient, policy.HasParams{Feature: new("a"), Permission: new("org:a:x")})
		}
	})
}

func checkSafe(t *testing.T, p *policy.Principal) {
	t.Helper()
	for _, value := range append([]string{p.OrgID, p.OrgRole, p.OrgSlug, p.Actor}, p.OrgPermissions...) {
		if value != "" && !claim.IsIdentifier(strings.TrimPrefix(value, "org:")) {
			t.Fatalf("%q is in the principal", value)
		}
	}
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
