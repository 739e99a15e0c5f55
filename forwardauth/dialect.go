package forwardauth

import (
	"net/http"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// dialect is how a kind of proxy asks, and takes its answer.
type dialect struct {
	// request says where a check tells what the client asked for.
	request source
	// limits says what the proxy does with an answer, in the words of a request.
	limits func(*policy.Request)
	// allow and refuse write the answer.
	allow, refuse func(w http.ResponseWriter, c *check, d *policy.Decision)
}

// dialects are all that are spoken, by the last segment of their path.
var dialects = map[string]*dialect{
	"nginx": {
		request: original{},
		limits:  func(r *policy.Request) { r.FieldsStand, r.UpgradeStands = true, true },
		allow:   allowNginx, refuse: refuseNginx,
	},
	"traefik": {
		request: forwarded{webSocketSchemes: true, also: []string{"X-Forwarded-Port", "X-Forwarded-Server"}},
		limits:  func(r *policy.Request) { r.FieldsStand, r.UpgradeStands, r.AnswersAlone = true, true, true },
		allow:   allowListed, refuse: refuseTraefik,
	},
	"caddy": {
		request: forwarded{},
		limits:  func(r *policy.Request) { r.FieldsStand, r.UpgradeStands, r.AnswersAlone = true, true, true },
		allow:   allowListed, refuse: refuse,
	},
	// The script haproxy-auth-request, which ingress controllers have.
	"haproxy": {
		request: forwarded{},
		limits:  func(r *policy.Request) { r.FieldsStand, r.UpgradeStands, r.AnswersAlone = true, true, true },
		allow:   allowEmpty, refuse: refuse,
	},
	// The script clerkgate.lua of examples/forward-auth.
	"haproxy/script": {
		request: forwarded{},
		limits:  func(r *policy.Request) { r.UpgradeStands = true },
		allow:   allowScript, refuse: refuse,
	},
	"envoy": {
		request: itself{},
		limits:  func(r *policy.Request) { r.UpgradeStands, r.Unseen = true, true },
		allow:   allowEnvoy, refuse: refuse,
	},
}

// Segments of paths that have more than the name of a dialect.
const (
	envoyPrefix = Path + "envoy"        // the path of the request follows
	answerPath  = Path + "nginx/answer" // where a refusal is fetched
)

// dialectOf finds the dialect by the path as it was sent, without cleaning it: of Envoy's
// checks the rest of the path is the client's. It is nil for the path where nginx fetches a refusal,
// and false where there is none.
func dialectOf(r *http.Request) (*dialect, bool) {
	path := pathOf(r.RequestURI)
	if rest, ok := strings.CutPrefix(path, envoyPrefix); ok && (rest == "" || rest[0] == '/') {
		return dialects["envoy"], true
	}
	if path == answerPath {
		return nil, true
	}
	name, ok := strings.CutPrefix(path, Path)
	speaks := dialects[name]
	return speaks, ok && speaks != nil
}

// pathOf is a target up to its query.
func pathOf(target string) string {
	path, _, _ := strings.Cut(target, "?")
	return path
}
