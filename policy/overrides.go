package policy

import (
	"net/http"
	"slices"
	"strings"
)

// override is a field by which some proxy, server or framework lets a request
// claim another path, method, host or identity than the one judged, or skip its own
// checks.
type override struct {
	// name is in folded form.
	name string
	// reader is who goes by it.
	reader string
}

// overrides are the fields that clients may not send, and that we never set: they are
// never forwarded. The reader is one of several, where many do.
var overrides = []override{
	// The path, in place of the one requested.
	{"x-original-url", "IIS URL Rewrite; Symfony before 4.2, Zend, Laminas, Drupal, WordPress"},
	{"x-original-uri", "applications behind nginx's auth_request"},
	{"x-original-path", "applications behind rewriting gateways"},
	{"x-original-request-uri", "applications behind rewriting gateways"},
	{"x-original-request-url", "applications behind rewriting gateways"},
	{"x-original-forwarded-path", "applications behind rewriting gateways"},
	{"x-forwarded-uri", "applications behind Traefik's and Caddy's forward_auth"},
	{"x-forwarded-url", "applications behind rewriting gateways"},
	{"x-forwarded-path", "Kong's upstreams; Express gateways"},
	{"x-forwarded-prefix", "Spring, Symfony, Werkzeug's ProxyFix, ASP.NET Core, Quarkus"},
	{"x-forwarded-pathbase", "ASP.NET Core applications"},
	{"x-forwarded-root", "applications mounted below a prefix"},
	{"x-forwarded-context", "Grafana and Solr behind a prefix"},
	{"x-forwarded-request-uri", "applications behind rewriting gateways"},
	{"x-forwarded-script-name", "WSGI applications"},
	{"x-forwarded-path-info", "WSGI and CGI applications"},
	{"x-forwarded-query", "applications behind rewriting gateways"},
	{"x-request-uri", "Perl and CGI applications"},
	{"x-request-url", "applications behind rewriting gateways"},
	{"x-request-path", "applications behind rewriting gateways"},
	{"request-uri", "CGI applications"},
	{"x-script-name", "Flask and Django applications below a prefix"},
	{"script-name", "gunicorn, waitress, uWSGI: SCRIPT_NAME of a proxy"},
	{"path-info", "gunicorn and WSGI servers: PATH_INFO of a proxy"},
	{"x-path-info", "WSGI and CGI applications"},
	{"x-replaced-path", "applications behind Traefik's ReplacePath"},
	{"x-stripped-prefix", "applications behind older Traefik"},
	{"x-url-rewrite", "IIS rewriters"},
	{"x-http-path-override", "applications behind API gateways"},
	{"x-http-destinationurl", "applications behind gateways"},
	{"x-proxy-url", "applications behind gateways"},
	{"base-url", "applications behind gateways"},
	{"x-base-url", "applications behind gateways"},
	{"x-ms-original-url", "Azure Static Web Apps and Functions"},
	{"x-waws-unencoded-url", "IIS on Azure"},
	{"x-arr-original-url", "IIS Application Request Routing"},
	{"x-unproxied-url", "IIS Application Request Routing"},
	{"x-accel-redirect", "nginx"},
	{"x-accel-internal", "nginx applications"},
	{"x-sendfile", "Apache and lighttpd applications"},
	{"x-reproxy-url", "Perlbal, H2O"},
	{"x-matched-path", "Next.js on Vercel"},
	{"x-now-route-matches", "Next.js on Vercel"},
	{"x-nextjs-rewrite", "Next.js"},
	{"x-nextjs-matched-path", "Next.js"},
	{"x-nextjs-rewritten-path", "Next.js"},
	{"x-nextjs-rewritten-query", "Next.js"},
	{"x-next-resume", "Next.js"},
	{"x-astro-path", "Astro's serverless adapter"},
	{"x-astro-locals", "Astro's serverless adapter"},
	{"x-sveltekit-pathname", "SvelteKit adapters"},
	{"x-envoy-original-path", "Envoy, and what is behind its rewrites"},
	{"x-envoy-original-url", "what is behind Envoy's rewrites"},
	{"destination-url", "applications behind gateways"},
	// The method, in place of the one used.
	{"x-http-method-override", "Rails, Rack, Laravel, Symfony, ASP.NET, method-override of Express"},
	{"x-http-method", "OData and ASP.NET"},
	{"x-http-verb", "applications of REST libraries"},
	{"x-http-override", "applications of REST libraries"},
	{"x-method-override", "method-override of Express; Google's client libraries"},
	{"x-method", "applications of REST libraries"},
	{"x-request-method", "applications behind gateways"},
	{"x-original-method", "applications behind nginx's auth_request"},
	{"x-forwarded-method", "applications behind Traefik's and Caddy's forward_auth"},
	{"http-method-override", "Rack and PHP applications"},
	// The host, or where to go.
	{"x-original-host", "Azure Application Gateway's and ngrok's upstreams"},
	{"x-host", "applications behind gateways"},
	{"x-http-host-override", "applications behind gateways"},
	{"x-host-override", "applications behind gateways"},
	{"x-forwarded-server", "applications behind Apache's mod_proxy and Traefik"},
	{"x-forwarded-host-override", "applications behind gateways"},
	{"x-forwarded-authority", "Node.js applications"},
	{"x-backend-host", "gateways that route by a header"},
	{"x-envoy-original-host", "what is behind Envoy's host rewrites"},
	{"x-envoy-original-dst-host", "Envoy's ORIGINAL_DST clusters"},
	{"x-forward-host", "applications behind gateways"},
	{"proxy", "CGI programs that take HTTP_PROXY for a setting (httpoxy)"},
	{"http2-settings", "servers that upgrade to HTTP/2"},
	// Whether to ask at all.
	{"x-envoy-auth-failure-mode-allowed", "what is behind Envoy's ext_authz"},
}

// identities are the fields by which gateways tell applications who the user is. No client
// may send them, but the policy may set them.
var identities = []override{
	{"x-forwarded-tls-client-cert", "applications behind Traefik"},
	{"x-forwarded-tls-client-cert-info", "applications behind Traefik"},
	{"x-ssl-client-cert", "applications behind nginx that trust client certificates"},
	{"x-ssl-client-verify", "applications behind nginx that trust client certificates"},
	{"x-ssl-client-s-dn", "applications behind nginx that trust client certificates"},
	{"ssl-client-cert", "Keycloak and applications behind ingress-nginx"},
	{"ssl-client-verify", "applications behind ingress-nginx"},
	{"ssl-client-subject-dn", "applications behind ingress-nginx"},
	{"x-arr-clientcert", "Azure App Service"},
	{"x-client-cert", "applications behind gateways"},
	{"remote-user", "WSGI, CGI and Java applications; REMOTE_USER of a proxy"},
	{"x-remote-user", "Django's RemoteUser, Kubernetes, Grafana, Jenkins"},
	{"x-remote-group", "Kubernetes"},
	{"x-forwarded-user", "applications behind oauth2-proxy and Traefik"},
	{"x-forwarded-email", "applications behind oauth2-proxy"},
	{"x-forwarded-groups", "applications behind oauth2-proxy"},
	{"x-forwarded-preferred-username", "applications behind oauth2-proxy"},
	{"x-forwarded-access-token", "applications behind oauth2-proxy"},
	{"x-webauth-user", "Grafana"},
	{"x-ms-client-principal", "Azure App Service and Functions"},
	{"x-ms-client-principal-id", "Azure App Service"},
	{"x-ms-client-principal-name", "Azure App Service"},
	{"x-ms-client-principal-idp", "Azure App Service"},
	{"x-goog-authenticated-user-email", "Google's Identity-Aware Proxy"},
	{"x-goog-authenticated-user-id", "Google's Identity-Aware Proxy"},
	{"x-amzn-oidc-identity", "applications behind Amazon's load balancer"},
	{"x-amzn-oidc-data", "applications behind Amazon's load balancer"},
	{"x-amzn-oidc-accesstoken", "applications behind Amazon's load balancer"},
}

// overrideFamilies are prefixes of such fields, with the members that are known.
var overrideFamilies = []struct {
	prefix, reader string
	members        []string
}{
	{"x-middleware-", "Next.js", []string{"x-middleware-subrequest", "x-middleware-subrequest-id", "x-middleware-rewrite", "x-middleware-next", "x-middleware-prefetch", "x-middleware-override-headers", "x-middleware-set-cookie", "x-middleware-invoke", "x-middleware-request-x-user-id"}},
	{"x-clerk-", "Clerk's libraries", []string{"x-clerk-auth-status", "x-clerk-auth-reason", "x-clerk-auth-message", "x-clerk-auth-token", "x-clerk-auth-signature", "x-clerk-clerk-url", "x-clerk-request-data", "x-clerk-redirect-to", "x-clerk-public-request"}},
	{"x-rewrite-", "IIS ISAPI_Rewrite; PHP frameworks", []string{"x-rewrite-url", "x-rewrite-uri", "x-rewrite-path"}},
	{"x-override-", "Symfony and Zend applications", []string{"x-override-url", "x-override-uri", "x-override-path", "x-override-host", "x-override-method"}},
	{"x-invoke-", "Next.js", []string{"x-invoke-path", "x-invoke-query", "x-invoke-output", "x-invoke-status", "x-invoke-error"}},
}

// overrideNames are all names of overrides.
var overrideNames = func() map[string]bool {
	names := map[string]bool{}
	for _, o := range overrides {
		names[o.name] = true
	}
	return names
}()

func isOverride(folded string) bool { return overrideNames[folded] || hasOverridePrefix(folded) }

func hasOverridePrefix(folded string) bool {
	for i := range overrideFamilies {
		if strings.HasPrefix(folded, overrideFamilies[i].prefix) {
			return true
		}
	}
	return false
}

// ReservedHeaders lists the headers that no client may send, whatever the policy says, by
// their usual names, for proxies that remove headers by a list. It cannot be complete:
// whole families of names are reserved, of which it has the members that are known.
func ReservedHeaders() []string {
	names := []string{"Forwarded"}
	for _, o := range slices.Concat(overrides, identities) {
		names = append(names, http.CanonicalHeaderKey(o.name))
	}
	for _, family := range overrideFamilies {
		for _, member := range family.members {
			names = append(names, http.CanonicalHeaderKey(member))
		}
	}
	slices.Sort(names)
	return names
}

// namesUnseen are the names to remove where the proxy may keep fields from us: all that
// clients may not send, of families the known members, in the spellings that servers
// treat as one another.
func (rules *headerRules) namesUnseen() []string {
	names := []string{upgradeHeader, connectionHeader}
	for name := range rules.dropped {
		names = append(names, name)
	}
	for _, family := range overrideFamilies {
		names = append(names, family.members...)
	}
	slices.Sort(names[2:])
	for _, name := range names[2:] {
		if strings.Contains(name, "-") {
			names = append(names, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."))
		}
	}
	return names
}
