package caddyplugin

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

func init() {
	httpcaddyfile.RegisterDirective("clerk_auth", parseDirective)
	// After rewrite, uri and try_files, so that the decision is about the path that is
	// served; before everything that serves, and before request_header, so that its
	// edits can use the identity.
	httpcaddyfile.RegisterDirectiveOrder("clerk_auth", httpcaddyfile.Before, "basicauth")
}

// parseDirective sets up the handler, with its matcher if there is one. The route
// has no matcher: the handler runs for every request of the site, so that identity
// headers are removed from all of them. A first argument that names a document is
// not a path matcher.
func parseDirective(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next()
	isFile := h.NextArg() && namesDocument(h.Val())
	h.Reset()
	h.Next()
	var matchers caddy.ModuleMap
	if !isFile {
		var err error
		if matchers, err = h.ExtractMatcherSet(); err != nil {
			return nil, err
		}
	}
	handler := new(Handler)
	if isFile {
		h.Reset()
	}
	if err := handler.UnmarshalCaddyfile(h.Dispenser); err != nil {
		return nil, withoutSecrets(err)
	}
	if matchers != nil {
		handler.MatcherSetsRaw = caddyhttp.RawMatcherSets{matchers}
	}
	return h.NewRoute(nil, handler), nil
}

// namesDocument reports whether an argument is the file of a policy document.
func namesDocument(arg string) bool {
	return slices.Contains([]string{".yaml", ".yml", ".json"}, strings.ToLower(filepath.Ext(arg)))
}

// UnmarshalCaddyfile sets up the handler from Caddyfile tokens. Syntax:
//
//	clerk_auth [<matcher>] [<file.yaml|file.yml|file.json>] {
//		file                <path>            # the same, whatever its extension
//
//		publishable_key     <key>
//		secret_key          <key>
//		jwt_key             <pem>
//		authorized_parties  <origins...>
//		audience            <values...>
//		clock_skew          <duration>
//		sign_in_url         <url>
//		sign_up_url         <url>
//		webhook_secret      <secret>
//		proxy_url           <url>
//		domain              <host>
//		satellite
//		satellite_auto_sync
//		organization_sync   organization|personal <patterns...>
//		machine_secret_key  <key>
//		api_url             <url>
//		issuer              <urls...>
//		reference_compat
//		redis [<url>] {
//			url|username|password <value>
//			addresses <host:port...>
//			cluster
//			sentinel  <master> [<username> <password>]
//			database  <n>
//			prefix    <text>
//			tls [{ ca|cert|key|server_name <value> }]
//			budget    <duration>
//			max_keys  <n>
//		}
//		revocation {
//			max_token_lifetime <duration>
//			max_entries        <n>
//			on_store_error     local|deny
//		}
//
//		trusted_proxies     <addresses...>
//		mode                enforce|shadow
//		preflight           pass|judge
//		base_path           <path>            # patterns are written without it
//		locales             <tags...>         # and without these
//		identity_header     <name> <source>   # the first one replaces the default set
//		upstream_token      <template> [<header>]
//		strip_credentials
//		assertion {
//			header    <name>
//			issuer    <name>
//			audience  <values...>
//			lifetime  <duration>
//			algorithm EdDSA|ES256
//			key       <pem>             # {file./etc/clerkgate/assertion.pem}
//		}
//		limit               <name> <n> per <window> by <keys...> {
//			algorithm sliding_window|fixed_window|token_bucket
//			burst     <n>
//			plan      <slug> <n>
//			role      <role> <n>
//			cost      [<method>] <n>
//			stage     before_auth|after_auth
//			consistency    exact|leased
//			on_store_error local|allow|deny
//			allow     <addresses...>
//			shadow
//			headers
//		}
//
//		bypass  [static_files] [<paths...>]
//		public  [static_files] [<paths...>] [limits <names...>]
//		deny    [static_files] [<paths...>]
//		rule <name> {
//			path   <patterns...>
//			host   <names...>
//			method <methods...>
//			static_files
//			access protected|public|bypass|deny
//			accept session_token|api_key|m2m_token|oauth_token|any...
//
//			<requirements, as of the matcher clerk>
//
//			max_token_age         <duration>
//			max_session_age       <duration>
//			session_created_claim <claim>
//			reverification        strict_mfa|strict|moderate|lax
//			reverification        first_factor|second_factor|multi_factor <duration>
//
//			limits            <names...>
//			on_forbidden      redirect <url>
//			on_forbidden      status 403|404
//			upstream_token    <template> [<header>]
//			strip_credentials [on|off]
//			mode              enforce|shadow
//		}
//		default protected|public|deny [limits <names...>]
//
//		ignore_warnings <ids...>          # docs/warnings.md
//	}
//
// Rules are evaluated in the order of their lines; the first that matches the
// request decides. Where a subdirective has several values, one of them is enough;
// all subdirectives of a rule must match.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	at := position(d)
	if args := d.RemainingArgs(); len(args) == 1 && args[0] != "" {
		h.File = args[0]
	} else if len(args) > 0 {
		return d.ArgErr()
	}
	reader := &reader{Handler: h, places: places{"": {At: at}}}
	if err := reader.subdirectives().block(d, "clerk_auth"); err != nil {
		return err
	}
	h.FileHash = hashOf(h.File)
	return reader.check()
}

// hashOf returns the SHA-256, in hexadecimal, of a document and of the files that it
// names; "" where the path is known only once Caddy runs. What is wrong with them is for
// Provision to say.
func hashOf(file string) string {
	if file == "" || hasPlaceholder(file) {
		return ""
	}
	reading := setup.ReadFiles(file)
	if reading.Hash() == "" {
		return ""
	}
	return reading.Sum()
}

// reader reads one clerk_auth directive.
type reader struct {
	*Handler
	places places
}

// subdirectives returns the subdirectives of clerk_auth.
func (r *reader) subdirectives() subdirectives {
	w := clerkSubdirectives(&r.Clerk)
	w["file"] = single(func(d *caddyfile.Dispenser) (err error) {
		if r.File != "" {
			return d.Err("the file is already specified")
		}
		r.File, err = argument(d)
		return err
	})
	w["redis"] = redisSubdirective(&r.Redis)
	w["revocation"] = revocationSubdirective(&r.Revocation)
	w["trusted_proxies"] = valueList(&r.TrustedProxies)
	w["mode"] = singleValue(&r.Mode)
	w["preflight"] = singleValue(&r.Preflight)
	w["base_path"] = singleValue(&r.BasePath)
	w["locales"] = valueList(&r.Locales)
	w["default"] = single(r.defaultRule)
	w["ignore_warnings"] = valueList(&r.IgnoreWarnings)
	w["identity_header"] = repeated(r.identityHeader).withKey("identity_headers")
	w["upstream_token"] = upstreamToken(&r.UpstreamToken)
	w["strip_credentials"] = boolFlag(&r.StripCredentials)
	w["assertion"] = single(r.assertion)
	w["limit"] = repeated(r.limit).withKey(unrecorded)
	w["rule"] = repeated(r.rule).withKey(unrecorded)
	w["bypass"] = repeated(r.paths(policy.Bypass)).withKey(unrecorded)
	w["public"] = repeated(r.paths(policy.Public)).withKey(unrecorded)
	w["deny"] = repeated(r.paths(policy.DenyAccess)).withKey(unrecorded)
	return r.places.recordPositions(w, "", "")
}

// identityHeader reads: identity_header <name> <source>
func (r *reader) identityHeader(d *caddyfile.Dispenser) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if len(args) != 2 {
		return d.ArgErr()
	}
	if _, again := r.IdentityHeaders[args[0]]; again {
		return d.Errf("identity_header %s is already specified", args[0])
	}
	if r.IdentityHeaders == nil {
		r.IdentityHeaders = map[string]string{}
	}
	r.IdentityHeaders[args[0]] = args[1]
	return nil
}

// defaultRule reads: default protected|public|deny [limits <names...>]
func (r *reader) defaultRule(d *caddyfile.Dispenser) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	args, r.Default.Limits, err = cutLimits(d, args)
	if err == nil && len(args) != 1 {
		err = d.Err("expected: default protected|public|deny [limits <names...>]")
	}
	if err == nil {
		r.Default.Access = policy.Access(args[0])
	}
	return err
}

// cutLimits splits the values of a line at the keyword limits.
func cutLimits(d *caddyfile.Dispenser, args []string) (before []string, limits policy.StringList, err error) {
	i := slices.Index(args, "limits")
	switch {
	case i < 0:
		return args, nil, nil
	case i == len(args)-1:
		return nil, nil, d.Err("limits names no limit")
	}
	return args[:i], args[i+1:], nil
}

// paths reads: bypass|public|deny [static_files] [<paths...>] [limits <names...>]
func (r *reader) paths(access policy.Access) func(d *caddyfile.Dispenser) error {
	return func(d *caddyfile.Dispenser) error {
		at := position(d)
		args, err := arguments(d)
		if err != nil {
			return err
		}
		rule := policy.Rule{Name: r.freeName(string(access)), Access: access}
		if args, rule.Limits, err = cutLimits(d, args); err != nil {
			return err
		}
		for _, arg := range args {
			if arg == "static_files" {
				rule.Match.StaticFiles = true
			} else {
				rule.Match.Path = append(rule.Match.Path, arg)
			}
		}
		r.addRule(rule, at)
		return nil
	}
}

// addRule adds a rule, with its position.
func (r *reader) addRule(rule policy.Rule, at string) {
	r.recordRule(rule.Name, at)
	r.Rules = append(r.Rules, rule)
}

// recordRule records the position of the rule that is read next, also for the sections
// that a Caddyfile does not write. It returns the rule's path in the document.
func (r *reader) recordRule(name, at string) string {
	path := fmt.Sprintf("rules[%d]", len(r.Rules))
	for _, section := range []string{"", ".match", ".require", ".freshness"} {
		r.places[path+section] = spot{At: at, Word: fmt.Sprintf("rule %q", name), Of: true}
	}
	return path
}

// freeName returns an unused name for a rule that was written without one.
func (r *reader) freeName(base string) string {
	name := base
	for n := 2; slices.ContainsFunc(r.Rules, func(rule policy.Rule) bool { return rule.Name == name }); n++ {
		name = base + "-" + strconv.Itoa(n)
	}
	return name
}
