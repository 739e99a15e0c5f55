package caddyplugin

import (
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/policy"
)

// limit reads: limit <name> <n> per <window> by <keys...> { ... }
func (r *reader) limit(d *caddyfile.Dispenser) error {
	at := position(d)
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if len(args) < 6 || args[2] != "per" || args[4] != "by" {
		return d.Err("expected: limit <name> <n> per <window> by <keys...>")
	}
	name := args[0]
	of, path := fmt.Sprintf("limit %q", name), "limits."+name
	if _, again := r.Limits[name]; again {
		return d.Errf("%s is already specified (at %s)", of, r.places[path].At)
	}
	limit := policy.Limit{Key: args[5:]}
	if limit.Limit, err = positiveNumber(d, args[1]); err != nil {
		return err
	}
	if limit.Window, err = policy.ParseDuration(args[3]); err != nil {
		return d.WrapErr(err)
	}
	r.places[path] = spot{At: at, Word: of, Of: true}
	if err := r.places.recordPositions(limitSubdirectives(&limit), path+".", of+": ").block(d, of); err != nil {
		return err
	}
	if r.Limits == nil {
		r.Limits = map[string]policy.Limit{}
	}
	r.Limits[name] = limit
	return nil
}

// limitSubdirectives are those of a limit.
func limitSubdirectives(limit *policy.Limit) subdirectives {
	return subdirectives{
		"algorithm": singleValue(&limit.Algorithm),
		"burst": single(func(d *caddyfile.Dispenser) error {
			value, err := argument(d)
			if err == nil {
				limit.Burst, err = positiveNumber(d, value)
			}
			return err
		}),
		"plan":           repeated(func(d *caddyfile.Dispenser) error { return readQuota(d, &limit.Plans) }).withKey("plans"),
		"role":           repeated(func(d *caddyfile.Dispenser) error { return readQuota(d, &limit.Roles) }).withKey("roles"),
		"cost":           repeated(func(d *caddyfile.Dispenser) error { return readCost(d, &limit.Cost) }),
		"consistency":    singleValue(&limit.Consistency),
		"on_store_error": singleValue(&limit.OnStoreError),
		"stage":          singleValue(&limit.Stage),
		"allow":          valueList(&limit.Allow),
		"shadow":         boolFlag(&limit.Shadow),
		"headers":        boolFlag(&limit.Headers),
	}
}

// readQuota reads: plan|role <name> <n>
func readQuota(d *caddyfile.Dispenser, quotas *map[string]int) error {
	word := d.Val()
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if len(args) != 2 {
		return d.ArgErr()
	}
	if _, again := (*quotas)[args[0]]; again {
		return d.Errf("%s %s is already specified", word, args[0])
	}
	n, err := positiveNumber(d, args[1])
	if err != nil {
		return err
	}
	if *quotas == nil {
		*quotas = map[string]int{}
	}
	(*quotas)[args[0]] = n
	return nil
}

// readCost reads: cost [<method>] <n>
func readCost(d *caddyfile.Dispenser, cost *policy.Cost) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	if len(args) == 1 {
		args = []string{"any", args[0]}
	}
	if len(args) != 2 {
		return d.ArgErr()
	}
	if _, again := (*cost)[args[0]]; again {
		return d.Errf("the cost of %s is already specified", args[0])
	}
	n, err := strconv.Atoi(args[1]) // 0 is a cost
	if err != nil {
		return d.Errf("%q is not a whole number", args[1])
	}
	if *cost == nil {
		*cost = policy.Cost{}
	}
	(*cost)[args[0]] = n
	return nil
}
