package browser

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// A session counts only where a cookie of that very name holds it.
func FuzzCookies(f *testing.F) {
	f.Add("", "")
	f.Add("a=b; ", "; c=d")
	f.Add("a=%3B", "")
	f.Add(`a="`, `"`)
	f.Add("x", ",")
	a := testBrowsers(f)
	token := mint.Token(f, nil)
	f.Fuzz(func(t *testing.T, before, after string) {
		field := before + "__session=" + token + after
		got := a.decide(t.Context(), &policy.Request{Headers: sessiontest.Fields("Cookie", field)}, now)
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
	answer := sessiontest.HandshakeAnswer(f, object{"handshake": []string{"__session=" + mint.Token(f, nil)}})
	dot := strings.IndexByte(answer, '.')
	f.Add(uint16(0), uint16(0), "")
	f.Add(uint16(len(answer)), uint16(0), "=")
	f.Add(uint16(len(answer)-1), uint16(1), "A")
	f.Add(uint16(dot), uint16(0), "; __session=")
	f.Add(uint16(len(answer)), uint16(0), ";\r")
	f.Add(uint16(0), uint16(dot), "eyJhbGciOiJub25lIn0")
	a := testBrowsers(f)
	f.Fuzz(func(t *testing.T, at, length uint16, piece string) {
		from := min(int(at), len(answer))
		text := answer[:from] + piece + answer[min(from+int(length), len(answer)):]
		got := a.decide(t.Context(), sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake="+text), now)
		if got.Status == policy.SignedIn && !strings.HasPrefix(strings.Trim(text, " \t"), answer) {
			t.Fatalf("signed in by %d bytes from %d as %q", length, from, piece)
		}
		linked := a.decide(t.Context(), sessiontest.Navigation("/?__clerk_handshake="+text, sessiontest.Sent), now)
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
	a := testBrowsers(f)
	f.Fuzz(func(t *testing.T, first, second string) {
		renewed, ok := renewedCookies([]string{first, second})
		if !ok {
			return
		}
		v := a.Visit(sessiontest.Navigation("/", "__session=old; a=1; __clerk_handshake=x"), now)
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
	a := testBrowsers(f)
	f.Fuzz(func(t *testing.T, target, host, scheme, count string) {
		r := sessiontest.Navigation(target, "__client_uat=5; __clerk_redirect_count="+count, "X-Forwarded-Host", "evil.example", "Referer", target)
		r.Host, r.Scheme = host, scheme
		got := a.decide(t.Context(), r, now)
		if got.Status == policy.SignedIn {
			t.Fatal("signed in without a session")
		}
		checkFields(t, got)
		location, err := url.Parse(sessiontest.HeaderOf(got.Headers, "Location"))
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
