package caddyplugin

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// rule reads: rule <name> { ... }
func (r *reader) rule(d *caddyfile.Dispenser) error {
	at := position(d)
	name, err := argument(d)
	if err != nil {
		return err
	}
	of := fmt.Sprintf("rule %q", name)
	if i := slices.IndexFunc(r.Rules, func(rule policy.Rule) bool { return rule.Name == name }); i >= 0 {
		return d.Errf("%s is already specified (at %s)", of, r.places[fmt.Sprintf("rules[%d]", i)].At)
	}
	path := r.recordRule(name, at)
	rule := policy.Rule{Name: name}
	var require policy.Requirement
	var fresh policy.Freshness
	if err := r.places.recordPositions(ruleSubdirectives(&rule, &require, &fresh), path+".", of+": ").block(d, of); err != nil {
		return err
	}
	if !reflect.ValueOf(require).IsZero() {
		rule.Require = &require
	}
	if fresh != (policy.Freshness{}) {
		rule.Freshness = &fresh
	}
	r.Rules = append(r.Rules, rule)
	return nil
}

// ruleSubdirectives are those of a rule, of its requirement and of its freshness.
func ruleSubdirectives(rule *policy.Rule, require *policy.Requirement, fresh *policy.Freshness) subdirectives {
	w := requirementSubdirectives(require).under("require")
	w["path"] = valueList(&rule.Match.Path).withKey("match.path")
	w["host"] = valueList(&rule.Match.Host).withKey("match.host")
	w["method"] = valueList(&rule.Match.Method).withKey("match.method")
	w["static_files"] = boolFlag(&rule.Match.StaticFiles).withKey("match.static_files")
	w["access"] = singleValue(&rule.Access)
	w["accept"] = single(func(d *caddyfile.Dispenser) error { return readAccept(d, &rule.Accept) })
	w["max_token_age"] = duration(&fresh.MaxTokenAge).withKey("freshness.max_token_age")
	w["max_session_age"] = duration(&fresh.MaxSessionAge).withKey("freshness.max_session_age")
	w["session_created_claim"] = singleValue(&fresh.SessionCreatedClaim).withKey("freshness.session_created_claim")
	w["reverification"] = single(func(d *caddyfile.Dispenser) error { return readReverification(d, fresh) }).withKey("freshness.reverification")
	w["limits"] = valueList(&rule.Limits)
	w["on_forbidden"] = single(func(d *caddyfile.Dispenser) error { return readOnForbidden(d, rule) })
	w["upstream_token"] = upstreamToken(&rule.UpstreamToken)
	w["strip_credentials"] = onOrOff(&rule.StripCredentials)
	w["mode"] = singleValue(&rule.Mode)
	w["encoded_slashes"] = singleValue(&rule.EncodedSlashes)
	return w
}

// readAccept reads: accept <token types...>
func readAccept(d *caddyfile.Dispenser, accept *policy.TokenTypes) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	quoted, err := json.Marshal(args)
	if err != nil {
		return d.WrapErr(err)
	}
	if err := accept.UnmarshalJSON(quoted); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// readReverification reads: reverification <preset> | <level> <after>
func readReverification(d *caddyfile.Dispenser, fresh *policy.Freshness) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	switch len(args) {
	case 1:
		fresh.Reverification = &policy.Reverification{Preset: args[0]}
	case 2:
		after, err := policy.ParseDuration(args[1])
		if err != nil {
			return d.WrapErr(err)
		}
		fresh.Reverification = &policy.Reverification{Level: args[0], After: after}
	default:
		return d.ArgErr()
	}
	return nil
}

// readOnForbidden reads: on_forbidden redirect <url> | status 403|404
func readOnForbidden(d *caddyfile.Dispenser, rule *policy.Rule) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if len(args) != 2 {
		return d.Err("expected: on_forbidden redirect <url>, or: on_forbidden status 403|404")
	}
	switch args[0] {
	case "redirect":
		rule.OnForbidden = &policy.OnForbidden{Redirect: args[1]}
	case "status":
		status, err := strconv.Atoi(args[1])
		if err != nil || status == 0 {
			return d.Errf("%q is not a status; write 403 or 404", args[1])
		}
		rule.OnForbidden = &policy.OnForbidden{Status: status}
	default:
		return d.Errf("expected redirect or status, got %q", args[0])
	}
	return nil
}
