package caddyplugin

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/suggest"
	"github.com/clerkgate/clerkgate/policy"
)

// subdirective reads one line of a block; the cursor is on its name.
type subdirective struct {
	read func(d *caddyfile.Dispenser) error
	// repeats: the subdirective may be written several times.
	repeats bool
	// key is the key of the document that it sets, below the path of its block.
	// Default: its own name.
	key string
}

// unrecorded is the key of a subdirective whose reader records its own position.
const unrecorded = "-"

// withKey returns the subdirective with that key.
func (w subdirective) withKey(key string) subdirective {
	w.key = key
	return w
}

// under returns the subdirectives with the keys of a section of the document, for a
// section that has no block in the Caddyfile.
func (w subdirectives) under(section string) subdirectives {
	for name, known := range w {
		w[name] = known.withKey(section + "." + cmp.Or(known.key, name))
	}
	return w
}

// subdirectives are those of a block, by name.
type subdirectives map[string]subdirective

// single is a subdirective that may be written once.
func single(read func(d *caddyfile.Dispenser) error) subdirective { return subdirective{read: read} }

// repeated is a subdirective that may be written several times.
func repeated(read func(d *caddyfile.Dispenser) error) subdirective {
	return subdirective{read: read, repeats: true}
}

// block reads the block that follows on the line, if there is one. Errors name the
// directive of the block by of.
func (w subdirectives) block(d *caddyfile.Dispenser, of string) error {
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := w.line(d, of, seen); err != nil {
			return withoutSecrets(err)
		}
	}
	return nil
}

// line reads one subdirective.
func (w subdirectives) line(d *caddyfile.Dispenser, of string, seen map[string]bool) error {
	name := d.Val()
	known, ok := w[name]
	switch {
	case !ok:
		return d.Errf("unrecognized subdirective %q of %s%s", name, of, w.suggest(name))
	case seen[name] && !known.repeats:
		return d.Errf("%s of %s is already specified", name, of)
	}
	seen[name] = true
	return known.read(d)
}

// suggest returns "; did you mean ...?" for a name that is close to a known one, or "".
func (w subdirectives) suggest(name string) string {
	suggestion := suggest.DidYouMean(name, slices.Sorted(maps.Keys(w))...)
	if suggestion == "" {
		return ""
	}
	return "; " + suggestion
}

// singleValue reads exactly one value.
func singleValue[T ~string](into *T) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		value, err := argument(d)
		*into = T(value)
		return err
	})
}

// valueList reads one or more values.
func valueList(into *policy.StringList) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		values, err := arguments(d)
		*into = values
		return err
	})
}

// boolFlag reads a subdirective without a value, which sets into.
func boolFlag(into *bool) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		*into = true
		return noMoreArguments(d)
	})
}

// duration reads one duration, as 30s or 5m.
func duration(into *policy.Duration) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		value, err := argument(d)
		if err != nil {
			return err
		}
		if *into, err = policy.ParseDuration(value); err != nil {
			return d.WrapErr(err)
		}
		return nil
	})
}

// argument reads the only value on the line. The error does not repeat it: it may be a
// secret.
func argument(d *caddyfile.Dispenser) (string, error) {
	name := d.Val()
	values, err := arguments(d)
	switch {
	case err != nil:
		return "", err
	case len(values) > 1:
		return "", d.Errf("%s takes one value, not %d; put quotes around a value with spaces or lines, or around its {$NAME}", name, len(values))
	}
	return values[0], nil
}

// arguments reads the values on the line: one at least, and none empty.
func arguments(d *caddyfile.Dispenser) ([]string, error) {
	name := d.Val()
	values := d.RemainingArgs()
	switch {
	case len(values) == 0:
		return nil, d.Errf("%s has no value; if it is written {$NAME}, that variable is not set or empty", name)
	case slices.Contains(values, ""):
		return nil, d.Errf("a value of %s is empty", name)
	}
	return values, nil
}

// positiveNumber reads a positive whole number out of a value.
func positiveNumber(d *caddyfile.Dispenser, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, d.Errf("%q is not a positive whole number", value)
	}
	return n, nil
}

// noMoreArguments returns an error where there are further values on the line.
func noMoreArguments(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}
