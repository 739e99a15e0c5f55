package policy

import (
	"fmt"
	"slices"
)

// Warning is something that a configuration may say but probably does not mean.
type Warning struct {
	// ID names the kind of warning and stays the same from version to version:
	// ignore_warnings silences by it. All of them are in docs/warnings.md.
	ID string
	// Path is where: rules[3].match.path[0].
	Path string
	Msg  string
	// Suggestion is what to write instead; may be empty.
	Suggestion string
	// Note: it is good to know, but no reason to change anything.
	Note bool
}

// String is the warning as it stands in logs and reports, its ID at the end.
func (w Warning) String() string {
	return (&ConfigError{Path: w.Path, Msg: w.Msg, Suggestion: w.Suggestion}).Error() + " [" + w.ID + "]"
}

// The IDs of warnings.
const (
	WarnAuthorizedPartiesUnset = "authorized-parties-unset"
	WarnCaddyErrorRoutes       = "caddy-error-routes"
	WarnCaddyHandlerUnseen     = "caddy-handler-unseen"
	WarnCaddyPathFixed         = "caddy-path-fixed"
	WarnClockSkewLong          = "clock-skew-long"
	WarnDefaultPublic          = "default-public"
	WarnFileWritable           = "file-writable"
	WarnForbiddenCircle        = "forbidden-circle"
	WarnInstanceDomain         = "instance-domain"
	WarnLimitWithoutIP         = "limit-without-ip"
	WarnPatternAlsoMatches     = "pattern-also-matches"
	WarnPatternMissesParent    = "pattern-misses-parent"
	WarnPatternNotation        = "pattern-notation"
	WarnPatternPrefixed        = "pattern-prefixed"
	WarnPatternRepeatsName     = "pattern-repeats-name"
	WarnPatternTrailingSlash   = "pattern-trailing-slash"
	WarnPermissionForm         = "permission-form"
	WarnProxyDevelopment       = "proxy-development"
	WarnRedisPasswordMissing   = "redis-password-missing"
	WarnReferenceCompat        = "reference-compat"
	WarnRoleForm               = "role-form"
	WarnRuleUnreachable        = "rule-unreachable"
)

// warningIDs is the table of them all.
var warningIDs = []string{
	WarnAuthorizedPartiesUnset, WarnCaddyErrorRoutes, WarnCaddyHandlerUnseen, WarnCaddyPathFixed, WarnClockSkewLong, WarnDefaultPublic,
	WarnFileWritable, WarnForbiddenCircle, WarnInstanceDomain, WarnLimitWithoutIP, WarnPatternAlsoMatches, WarnPatternMissesParent, WarnPatternNotation, WarnPatternPrefixed, WarnPatternRepeatsName,
	WarnPatternTrailingSlash, WarnPermissionForm, WarnProxyDevelopment,
	WarnRedisPasswordMissing, WarnReferenceCompat, WarnRoleForm, WarnRuleUnreachable,
}

// WarningIDs returns the IDs of all warnings, sorted.
func WarningIDs() []string { return slices.Clone(warningIDs) }

// Heeded are the warnings that the configuration does not silence.
func (c *Config) Heeded(warnings []Warning) []Warning { return heeded(warnings, c.IgnoreWarnings) }

func heeded(warnings []Warning, ignored StringList) []Warning {
	return slices.DeleteFunc(warnings, func(w Warning) bool { return slices.Contains(ignored, w.ID) })
}

// checkIgnored reports IDs of warnings that do not exist.
func checkIgnored(ids StringList) []error {
	var errs []error
	for i, id := range ids {
		if !slices.Contains(warningIDs, id) {
			errs = append(errs, &ConfigError{Path: fmt.Sprintf("ignore_warnings[%d]", i), Msg: fmt.Sprintf("there is no warning %q", id), Suggestion: didYouMean(id, warningIDs...)})
		}
	}
	return errs
}
