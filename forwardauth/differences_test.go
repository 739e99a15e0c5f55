package forwardauth_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// A difference is one between what a case wants and what a proxy can say, with its
// reason.
type difference struct {
	why string
	// proxies are those that have it; none for all.
	proxies []string
	applies func(c *corpus.Case, x *corpus.Exchange) bool
	// adjust makes the case want what comes instead.
	adjust func(c *corpus.Case, x *corpus.Exchange)
}

// differences are all that are known. Each changes what a case wants.
var differences = []difference{{
	why:     "the check tells of no version of HTTP, so that callers of gRPC are answered by a status of HTTP",
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool { return c.Want.GRPC != nil },
	adjust:  func(c *corpus.Case, _ *corpus.Exchange) { c.Want.GRPC = nil },
}, {
	why: "Envoy makes an answer in gRPC of its own to what says that it is gRPC", proxies: []string{"envoy"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return strings.HasPrefix(field(c, "Content-Type"), "application/grpc") && x.Upstream == nil && !slices.Contains([]string{"", "0"}, x.Header.Get("Grpc-Status"))
	},
	adjust: func(c *corpus.Case, x *corpus.Exchange) {
		x.Status, c.Want.Response, c.Want.Body = c.Want.Status, nil, nil // with 200, as gRPC has it
	},
}, {
	why: "the proxy forwards the change of protocol although its fields are removed",
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return field(c, "Upgrade") != "" && c.Want.Status == http.StatusOK && c.Want.Upstream["Upgrade"] == "" && x.Reason == policy.ReasonUpgradeRefused
	},
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		refuse(c, http.StatusBadRequest, policy.ReasonUpgradeRefused)
	},
}, {
	why: "of several fields Upgrade the proxy knows the first, and forwards no other", proxies: []string{"nginx", "caddy"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool { return c.Name == "upgrade-twice-is-dropped" },
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		receives(c, "Upgrade", "websocket")
		delete(c.Want.Upstream, "Connection")
	},
}, {
	why: "nginx names the protocol itself", proxies: []string{"nginx"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool { return c.Want.Upstream["Upgrade"] == "WebSocket" },
	adjust:  func(c *corpus.Case, _ *corpus.Exchange) { receives(c, "Upgrade", "websocket") },
}, {
	why: "Traefik is told to leave every change of protocol out", proxies: []string{"traefik"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool { return c.Want.Upstream["Upgrade"] != "" },
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		receives(c, "Upgrade", "")
		receives(c, "Connection", "")
	},
}, {
	why: "Traefik makes a redirect absolute, and so do we for it", proxies: []string{"traefik"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool {
		return strings.HasPrefix(c.Want.Response["Location"], "/")
	},
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		c.Want.Response = maps.Clone(c.Want.Response)
		c.Want.Response["Location"] = c.Request.Scheme + "://" + c.Request.Host + c.Want.Response["Location"]
	},
}, {
	why: "the client's Connection is for the proxy alone, which makes one of its own",
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return c.Want.Reason == policy.ReasonConnectionMalformed && x.Status == http.StatusOK
	},
	adjust: allow,
}, {
	why: "Caddy refuses it itself, once it has asked", proxies: []string{"caddy"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return c.Want.Reason == policy.ReasonConnectionMalformed && x.Status == http.StatusBadRequest && x.Outcome == "allow"
	},
	adjust: func(c *corpus.Case, x *corpus.Exchange) {
		c.Want = corpus.Want{Status: http.StatusBadRequest, Reason: x.Reason, Rule: x.Rule}
	},
}, {
	why: "the proxy tells the application itself which host it was asked for", proxies: []string{"nginx", "haproxy", "caddy"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return x.Upstream != nil && field(c, "X-Forwarded-Host") != ""
	},
	adjust: func(c *corpus.Case, _ *corpus.Exchange) { receives(c, "X-Forwarded-Host", c.Request.Host) },
}, {
	why: "the proxy forwards a reserved header, and would not be told to remove it", proxies: []string{"caddy", "traefik"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool { return x.Reason == policy.ReasonHeaderReserved },
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		refuse(c, http.StatusBadRequest, policy.ReasonHeaderReserved)
	},
}, {
	why: "the proxy forwards no names with underscores", proxies: []string{"nginx", "caddy"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool {
		return c.Want.Reason == policy.ReasonHeaderRepeated && field(c, "X_Api_Key") != ""
	},
	adjust: allow,
}, {
	why: "a response of the application gets no field, and only browsers that load a page are sent back to it", proxies: []string{"caddy", "traefik"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool { return x.Upstream != nil && len(c.Want.Response) > 0 },
	adjust:  func(c *corpus.Case, _ *corpus.Exchange) { c.Want.Response = nil },
}, {
	why:     "the check tells of no body",
	applies: func(c *corpus.Case, x *corpus.Exchange) bool { return c.Name == "preflight-with-a-body-is-none" },
	adjust:  allow,
}, {
	why: "Envoy answers for an outage itself", proxies: []string{"envoy"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool { return c.Want.Status >= http.StatusInternalServerError },
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {
		c.Want.Status, c.Want.Response, c.Want.Body = http.StatusServiceUnavailable, nil, nil
	},
}, {
	why: "Envoy asks about the path that it forwards, without dot segments and with single slashes", proxies: []string{"envoy"},
	applies: func(c *corpus.Case, _ *corpus.Exchange) bool {
		path, _, _ := strings.Cut(c.Request.Target, "?")
		return strings.Contains(path, "//") || strings.Contains(path, "/.") || strings.Contains(path, "%2e")
	},
	adjust: func(c *corpus.Case, _ *corpus.Exchange) {},
}, {
	why: "Envoy joins repeated fields by commas", proxies: []string{"envoy"},
	applies: func(c *corpus.Case, x *corpus.Exchange) bool { return c.Want.Reason == policy.ReasonAuthorizationTwice },
	adjust:  func(c *corpus.Case, _ *corpus.Exchange) { c.Want.Reason = policy.ReasonAuthorizationForm },
}}

// differs adjusts a case to all differences that apply, and returns their reasons.
func (s *stage) differs(proxy string, c *corpus.Case, x *corpus.Exchange) string {
	var reasons []string
	for _, d := range differences {
		if (len(d.proxies) == 0 || slices.Contains(d.proxies, proxy)) && d.applies(c, x) {
			d.adjust(c, x)
			reasons = append(reasons, d.why)
		}
	}
	return strings.Join(reasons, "; ")
}

// ownRefusals are the statuses of refusals that are a proxy's own.
var ownRefusals = []int{http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusRequestURITooLong, http.StatusMisdirectedRequest, http.StatusNotImplemented}

// lockedOut are requests that a policy could allow and a proxy refuses itself.
var lockedOut = map[string]map[string]string{
	"nginx": {
		"long-query-passes": "nginx takes request lines of 8 KiB",
	},
	"envoy": {
		"method-that-is-unknown-meets-rules-without-methods": "Envoy takes the registered methods",
		"upgrade-to-one-of-two-is-dropped":                   "Envoy takes upgrades to one protocol",
		"upgrade-twice-is-dropped":                           "Envoy takes upgrades to one protocol",
	},
}

// checkOwnRefusal checks that what a proxy refuses without asking is nothing that the
// policy allows.
func (s *stage) checkOwnRefusal(t *testing.T, proxy string, c *corpus.Case, x *corpus.Exchange) {
	t.Helper()
	if x.Upstream != nil || !slices.Contains(ownRefusals, x.Status) {
		t.Errorf("%s answered %d without asking", proxy, x.Status)
	}
	if why := lockedOut[proxy][c.Name]; c.Want.Status == http.StatusOK && why == "" {
		t.Errorf("%s refuses with %d what the policy allows", proxy, x.Status)
	}
}

func field(c *corpus.Case, name string) string {
	for _, h := range c.Request.Headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// refuse makes a case want a refusal.
func refuse(c *corpus.Case, status int, reason policy.Reason) {
	c.Want = corpus.Want{Status: status, Reason: reason, Rule: c.Want.Rule}
}

// allow makes a case want what it would without what is refused, whatever the rule.
func allow(c *corpus.Case, x *corpus.Exchange) {
	c.Want = corpus.Want{Status: http.StatusOK, Reason: x.Reason, Rule: x.Rule}
}

// receives makes a case want that the application gets a field.
func receives(c *corpus.Case, name, value string) {
	c.Want.Upstream = maps.Clone(c.Want.Upstream)
	if c.Want.Upstream == nil {
		c.Want.Upstream = map[string]string{}
	}
	c.Want.Upstream[name] = value
}
