package policy

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestClerkCookiesAreToldFromTheApplications(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"__session": true, "__session_naoXFJnI": true, "__session_a-_9ZzQ0": true,
		"__client_uat": true, "__client_uat_naoXFJnI": true, "__refresh": true, "__refresh_naoXFJnI": true,
		"__client": true, "__client_naoXFJnI": true,
		"__clerk_db_jwt": true, "__clerk_db_jwt_naoXFJnI": true, "__clerk_handshake": true, "__clerk_handshake_nonce": true, "__clerk_": true,
		"": false, "session": false, "_session": false, "__Session": false, "__session2": false, "__session_": false, "__session_id": false,
		"__session_naoXFJnI2": false, "__session_naoXFJ.I": false, "__session-naoXFJnI": false, "__session_naoXFJä": false,
		"__sessions": false, "__clerk": false, "__clients": false, "x__session": false, "__Host-session": false, "theme": false,
	} {
		if got := isClerkCookie(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}

func TestCookiesOfTheApplicationStayAsTheyAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields  []string
		kept    string
		changed bool
	}{
		"none at all":             {nil, "", false},
		"none of Clerk's":         {[]string{"a=1; __b=2"}, "", false},
		"only Clerk's":            {[]string{"__session=x; __client_uat=1"}, "", true},
		"the first":               {[]string{"__session=x; a=1"}, "a=1", true},
		"the last":                {[]string{"a=1; __session=x"}, "a=1", true},
		"in between":              {[]string{"a=1; __session_naoXFJnI=x; b=2"}, "a=1; b=2", true},
		"without space":           {[]string{"a=1;__session=x;b=2"}, "a=1; b=2", true},
		"odd space":               {[]string{"a=1 ;\t__session =x;  b= 2 "}, "a=1 ; b= 2 ", true},
		"several fields":          {[]string{"a=1; __session=x", "b=2; __refresh=y"}, "a=1; b=2", true},
		"one field of several":    {[]string{"a=1", "__session=x", "b=2"}, "a=1; b=2", true},
		"no value":                {[]string{"__session; a"}, "a", true},
		"an empty value":          {[]string{"__session=; a="}, "a=", true},
		"quoted and odd values":   {[]string{`a="x, y"; __session=x; b=%3B=,"`}, `a="x, y"; b=%3B=,"`, true},
		"its name in a value":     {[]string{"a=__session=x"}, "", false},
		"several of one name":     {[]string{"__session=x; __session=y; a=1; a=2"}, "a=1; a=2", true},
		"control characters":      {[]string{"a=1; \x0b__session\x0c=x"}, "a=1", true},
		"empty pieces are no use": {[]string{";; __session=x;; a=1;"}, "a=1", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if kept, changed := withoutClerkCookies(c.fields); kept != c.kept || changed != c.changed {
				t.Errorf("%q, %v; want %q, %v", kept, changed, c.kept, c.changed)
			}
		})
	}
}

// FuzzClerkCookies states that no Clerk cookie survives, for any reader, and
// that all others do, in their order and byte for byte.
func FuzzClerkCookies(f *testing.F) {
	for _, seed := range []string{"__session=x; a=1", "a=1;__client_uat_naoXFJnI=0", "__clerk_db_jwt", "a=__session=x; b", " __session =;\t;=", "__session_naoXFJn\xff=1; c=\x00"} {
		f.Add(seed, "b=2; __refresh=z")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		fields := []string{one, two}
		kept, changed := withoutClerkCookies(fields)
		if !changed {
			kept = strings.Join(fields, "; ")
		}
		var want []string
		for _, piece := range strings.Split(one+";"+two, ";") {
			if name, _, _ := strings.Cut(piece, "="); !isClerkCookie(strings.TrimFunc(name, func(r rune) bool { return r <= ' ' || r == 0x7f })) {
				want = appendPiece(want, piece)
			}
		}
		var got []string
		for _, piece := range strings.Split(kept, ";") {
			got = appendPiece(got, piece)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q and %q: kept %q, want %q", one, two, got, want)
		}
		r := http.Request{Header: http.Header{"Cookie": {kept}}}
		for _, cookie := range r.Cookies() {
			if isClerkCookie(cookie.Name) {
				t.Errorf("%q and %q: net/http still reads %q", one, two, cookie.Name)
			}
		}
	})
}

// appendPiece appends what a piece of a Cookie field says, if it says anything.
func appendPiece(pieces []string, piece string) []string {
	if piece = strings.TrimLeft(piece, " \t"); piece != "" {
		return append(pieces, piece)
	}
	return pieces
}
