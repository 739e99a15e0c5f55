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

// word reads one subdirective; the cursor is on its name.
type word struct {
	read func(d *caddyfile.Dispenser) error
	// repeats: the word may be written several times.
	repeats bool
	// key is where the document has what the word says, below the path of its block.
	// Default: under the word's own name.
	key string
}

// unnoted is the key of a word that says itself where it stands, or that the document
// does not have.
const unnoted = "-"

// as is the word with a key of another name.
func (w word) as(key string) word {
	w.key = key
	return w
}

// below are the words of a section of the document that has no block.
func (w words) below(section string) words {
	for name, known := range w {
		w[name] = known.as(section + "." + cmp.Or(known.key, name))
	}
	return w
}

// words are the subdirectives of a block.
type words map[string]word

// once is a word that may be written once.
func once(read func(d *caddyfile.Dispenser) error) word { return word{read: read} }

// often is a word that may be written several times.
func often(read func(d *caddyfile.Dispenser) error) word { return word{read: read, repeats: true} }

// block reads the block that follows on the line, if there is one. What the
// block belongs to is named in errors.
func (w words) block(d *caddyfile.Dispenser, of string) error {
	seen := map[string]bool{}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := w.line(d, of, seen); err != nil {
			return withoutSecrets(err)
		}
	}
	return nil
}

// line reads one subdirective.
func (w words) line(d *caddyfile.Dispenser, of string, seen map[string]bool) error {
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

// suggest names the word that was probably meant.
func (w words) suggest(name string) string {
	suggestion := suggest.DidYouMean(name, slices.Sorted(maps.Keys(w))...)
	if suggestion == "" {
		return ""
	}
	return "; " + suggestion
}

// text reads exactly one value.
func text[T ~string](into *T) word {
	return once(func(d *caddyfile.Dispenser) error {
		value, err := argument(d)
		*into = T(value)
		return err
	})
}

// list reads one or more values.
func list(into *policy.StringList) word {
	return once(func(d *caddyfile.Dispenser) error {
		values, err := arguments(d)
		*into = values
		return err
	})
}

// bare reads a word that says all by itself.
func bare(into *bool) word {
	return once(func(d *caddyfile.Dispenser) error {
		*into = true
		return noMore(d)
	})
}

// duration reads a time with its unit.
func duration(into *policy.Duration) word {
	return once(func(d *caddyfile.Dispenser) error {
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

// argument reads the only value on the line. The error does not repeat it: it
// may be a key.
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

// number reads a positive whole number out of a value.
func number(d *caddyfile.Dispenser, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, d.Errf("%q is not a positive whole number", value)
	}
	return n, nil
}

// noMore refuses further values on the line.
func noMore(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}
