package policy_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/clerkgate/clerkgate/policy"
)

// iterations is how many random cases a test makes: few, or as many as
// CLERKGATE_ITERATIONS says.
func iterations(few int) int {
	if n, err := strconv.Atoi(os.Getenv("CLERKGATE_ITERATIONS")); err == nil {
		return n
	}
	return few
}

// crumbs are what random targets are made of.
var crumbs = strings.Fields(`/ / / // . .. ... %2e %2E ; ;x ;x=1 %3b %3Bq %2f %2F \ %5c %5C %25 %252f %252e %2561
	a d m i n ad min admin admin ADMIN Admin %61 %41dmin adm%69n settings settings/ billing billing Billing b%69lling
	x users public index.php index _next/data .json .css .JSON %20 %C2%A0 %E2%80%8B %EF%BB%BF %EF%BC%8F %EF%BC%8E %EF%BD%81
	%E2%81%A0 %C3%A9 %E6%97%A5 ? ?x %3f %3F %23 @ : , + ~ = & ( ) * ! evil.example app.example.com http://app.example.com`)

func randomTarget(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(20) > 0 {
		b.WriteByte('/')
	}
	for range 1 + r.IntN(9) {
		b.WriteString(crumbs[r.IntN(len(crumbs))])
	}
	return b.String()
}

func replacing(expression, replacement string) func(string) string {
	re := regexp.MustCompile(expression)
	return func(s string) string { return re.ReplaceAllString(s, replacement) }
}

// upstreams are how servers read a path, each in its own way, written without a
// look at how the policy does it.
var upstreams = []func(string) string{
	func(s string) string { decoded, _ := url.PathUnescape(s); return decoded },
	path.Clean,
	strings.ToLower,
	norm.NFKC.String,
	replacing(`/+`, "/"),
	replacing(`\\`, "/"),
	replacing(`;[^/]*`, ""),
	replacing(`[?#].*`, ""),
	replacing(`[. \x{a0}]+(/|$)`, "$1"),
	replacing(`[\x{200b}\x{feff}\x{2060}]`, ""),
	replacing(`^//+[^/]*`, ""),
}

// readAs collects what a path is to chains of upstreams.
func readAs(target string) []string {
	target, _, _ = strings.Cut(target, "?")
	all := []string{target}
	for i := 0; i < len(all) && len(all) < 500; i++ {
		for _, read := range upstreams {
			if reading := "/" + strings.TrimPrefix(read(all[i]), "/"); !slices.Contains(all, reading) {
				all = append(all, reading)
			}
		}
	}
	return all
}

// guardedByFence are the readings that [fence] guards.
var guardedByFence = regexp.MustCompile(`(?is)^/admin|^/settings/billing(\.[a-z]+)?/?$`)

// What passes as open is open however it is read, and with any query.
func TestWhatIsOpenHasNoGuardedReading(t *testing.T) {
	t.Parallel()
	p, r := fence(t), rand.New(rand.NewPCG(3, 4))
	open := 0
	for range iterations(3_000) {
		target := randomTarget(r)
		pass := passes(p, target)
		if !strings.Contains(target, "?") && pass != passes(p, target+"?a=/../admin") {
			t.Fatalf("%q: the query takes part", target)
		}
		if !pass {
			continue
		}
		open++
		for _, reading := range readAs(strings.TrimPrefix(target, "http://app.example.com")) {
			if guardedByFence.MatchString(reading) {
				t.Fatalf("%q passes, and is read as %q", target, reading)
			}
		}
	}
	if open == 0 {
		t.Error("nothing passes")
	}
}

// headerNames are names by which clients might give themselves an identity, or
// nothing at all.
var headerNames = strings.Fields(`X-User-Id x-user-id X_User_Id X.User.Id X-USER_ID x-User.id X!User!Id X-Org-Role X_Org_Role
	x-org.id X-Session-Id X~Session~Id X-Original-URL X_Original_Url X-HTTP-Method-Override X-Middleware-Subrequest x.middleware.next
	Connection TE Accept Cookie Authorization User-Agent X-User-Ids X-User Referer X-Forwarded-For Forwarded Trailer Keep-Alive`)

// Whatever set of fields a request has, the identity that the upstream sees is
// the principal's and no other.
func TestUpstreamsSeeOnlyThePrincipal(t *testing.T) {
	t.Parallel()
	config := policy.Config{IdentityHeaders: map[string]string{"X-User-Id": "user_id", "X-Session-Id": "session_id", "X-Org-Id": "org_id", "X-Org-Role": "org_role"}, Default: policy.Default{Access: policy.Public}}
	now := &known{}
	p, err := policy.New(config, policy.Deps{Authenticator: now, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range iterations(3_000) {
		var who *policy.Principal
		want := map[string]string{}
		if n := r.IntN(3); n > 0 {
			who = &policy.Principal{TokenType: policy.SessionToken, UserID: fmt.Sprintf("user_%d", i), SessionID: fmt.Sprintf("sess_%d", i)}
			want["x-user-id"], want["x-session-id"] = who.UserID, who.SessionID
			if n > 1 {
				who.OrgID, who.OrgRole = "org_1", "org:member"
				want["x-org-id"], want["x-org-role"] = who.OrgID, who.OrgRole
			}
		}
		*now = known{who}
		request := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x", Peer: netip.MustParseAddr("203.0.113.5")}
		for range 1 + r.IntN(60) {
			request.Headers = append(request.Headers, policy.Header{Name: headerNames[r.IntN(len(headerNames))], Value: []string{"", "user_victim", "org:admin", "X-User-Id", "close, x-org-role"}[r.IntN(5)]})
		}
		d := p.Decide(t.Context(), request)
		if !d.Allowed() {
			continue // such as for a Connection that names a header of ours
		}
		got := map[string]string{}
		for name, values := range edited(request.Headers, &d) {
			switch folded := foldForTest(name); {
			case strings.HasPrefix(folded, "x-middleware-"), folded == "x-original-url", folded == "x-http-method-override":
				t.Fatalf("%v: %s reaches the upstream", request.Headers, name)
			case slices.Contains([]string{"x-user-id", "x-session-id", "x-org-id", "x-org-role"}, folded):
				got[folded] += strings.Join(values, "|")
			}
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%v: %v, want %v", request.Headers, got, want)
		}
	}
}
