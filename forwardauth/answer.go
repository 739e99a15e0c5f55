package forwardauth

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// Fields of answers that are for proxies alone.
const (
	// envoyRemove names the fields that Envoy removes from the request.
	envoyRemove = "X-Envoy-Auth-Headers-To-Remove"
	// The script for HAProxy sets the fields of the answer that are named in setFields, removes
	// those in removeFields, and adds those in addFields to the response. keptQuery is the
	// query in place of the client's.
	setFields    = "X-Clerkgate-Set"
	removeFields = "X-Clerkgate-Remove"
	addFields    = "X-Clerkgate-Add"
	keptQuery    = "X-Clerkgate-Query"
	// keptTarget is what nginx forwards in place of the client's target: the same, but for
	// parameters of the query that end here.
	keptTarget = "X-Clerkgate-Target"
	// cookieField, with a number from 1, has a cookie for the client: nginx knows no more
	// than one value of a field. There are as many in nginx's configuration as Clerk ever
	// sets at once, and some.
	cookieField = "X-Clerkgate-Cookie-"
	maxCookies  = 16
)

// credentials are the fields beside those of the identity that a decision may change.
var credentials = [...]string{"Authorization", "Cookie"}

// pass writes the status of an answer that allows: 200 alone does in every dialect.
func pass(w http.ResponseWriter) {
	w.Header()["Cache-Control"] = []string{"no-store"}
	w.Header()["Content-Length"] = []string{"0"}
	w.WriteHeader(http.StatusOK)
}

// allowEnvoy names what Envoy is to remove.
func allowEnvoy(w http.ResponseWriter, _ *check, d *policy.Decision) {
	httpgate.AddFields(w.Header(), d)
	setUpstream(w.Header(), d)
	if len(d.RemoveHeaders) > 0 {
		w.Header()[envoyRemove] = []string{strings.Join(d.RemoveHeaders, ",")}
	}
	pass(w)
}

// allowListed is for proxies that remove the fields on a list of theirs, and then set
// those that the answer has.
func allowListed(w http.ResponseWriter, c *check, d *policy.Decision) {
	keepCredentials(w.Header(), c)
	removeUpstream(w.Header(), d)
	setUpstream(w.Header(), d)
	pass(w)
}

// allowNginx is the same for a proxy that sets each field on its list: to an empty value,
// by which nginx leaves the field out, where it must be.
func allowNginx(w http.ResponseWriter, c *check, d *policy.Decision) {
	keepCredentials(w.Header(), c)
	emptyUpstream(w.Header(), d)
	setUpstream(w.Header(), d)
	target, cookies := c.asked.Target, 0
	if path, query, _ := strings.Cut(target, "?"); len(d.RemoveQuery) > 0 {
		if target = path; d.KeptQuery(query) != "" {
			target += "?" + d.KeptQuery(query)
		}
	}
	w.Header()[keptTarget] = []string{target}
	for _, h := range d.ResponseHeaders {
		if name := http.CanonicalHeaderKey(h.Name); name != "Set-Cookie" {
			w.Header()[name] = []string{h.Value}
		} else if cookies++; cookies <= maxCookies {
			w.Header()[cookieField+strconv.Itoa(cookies)] = []string{h.Value}
		}
	}
	pass(w)
}

// allowEmpty is for proxies that set the fields of the answer that are on a list of theirs,
// and leave those that it has not: what must not reach the upstream is empty.
func allowEmpty(w http.ResponseWriter, _ *check, d *policy.Decision) {
	emptyUpstream(w.Header(), d)
	setUpstream(w.Header(), d)
	pass(w)
}

// allowScript says which fields of the answer are for the upstream, and which for the
// client.
func allowScript(w http.ResponseWriter, c *check, d *policy.Decision) {
	httpgate.AddFields(w.Header(), d)
	setUpstream(w.Header(), d)
	w.Header()[addFields] = []string{joinNames(d.ResponseHeaders)}
	w.Header()[setFields] = []string{joinNames(d.SetHeaders)}
	w.Header()[removeFields] = []string{strings.Join(d.RemoveHeaders, ",")}
	if len(d.RemoveQuery) > 0 {
		_, query, _ := strings.Cut(c.asked.Target, "?")
		w.Header()[keptQuery] = []string{d.KeptQuery(query)}
	}
	pass(w)
}

// keepCredentials says that the upstream receives the client's credentials, unless the
// decision changes them.
func keepCredentials(header http.Header, c *check) {
	for _, name := range credentials {
		if values := c.Header[name]; len(values) > 0 {
			header[name] = []string{strings.Join(values, "; ")} // several are only of Cookie
		}
	}
}

func setUpstream(header http.Header, d *policy.Decision) {
	for _, h := range d.SetHeaders {
		header[http.CanonicalHeaderKey(h.Name)] = []string{h.Value}
	}
}

func removeUpstream(header http.Header, d *policy.Decision) {
	for _, name := range d.RemoveHeaders {
		delete(header, http.CanonicalHeaderKey(name))
	}
}

func emptyUpstream(header http.Header, d *policy.Decision) {
	for _, name := range d.RemoveHeaders {
		header[http.CanonicalHeaderKey(name)] = []string{""}
	}
}

// joinNames lists the names of fields, each once.
func joinNames(headers []policy.Header) string {
	var names []string
	seen := map[string]bool{}
	for _, h := range headers {
		if name := http.CanonicalHeaderKey(h.Name); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}

// refuse writes the answer to the client, which these proxies pass on as it is. Its status is
// never one of those by which they let requests pass.
func refuse(w http.ResponseWriter, c *check, d *policy.Decision) {
	answered := *d
	answered.GRPC = nil                          // whose status would be 200
	_ = httpgate.Answer(w, c.Request, &answered) // the proxy may be gone
}

// refuseTraefik makes a Location absolute, which Traefik would resolve against the
// address that it asked.
func refuseTraefik(w http.ResponseWriter, c *check, d *policy.Decision) {
	absolute := *d
	absolute.ResponseHeaders = make([]policy.Header, len(d.ResponseHeaders))
	for i, h := range d.ResponseHeaders {
		if strings.EqualFold(h.Name, "Location") && strings.HasPrefix(h.Value, "/") && !strings.HasPrefix(h.Value, "//") {
			site := url.URL{Scheme: c.asked.Scheme, Host: c.asked.Host}
			h.Value = site.String() + h.Value
		}
		absolute.ResponseHeaders[i] = h
	}
	refuse(w, c, &absolute)
}
