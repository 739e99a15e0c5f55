package document

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// scalar decodes into a string, a boolean or a number.
func (d *decoder) scalar(n *node, v reflect.Value, secret bool) {
	switch k := v.Kind(); {
	case k == reflect.String:
		d.text(n, v, secret)
	case k == reflect.Bool:
		d.boolean(n, v, secret)
	case v.CanInt() || v.CanUint():
		d.whole(n, v, secret)
	case v.CanFloat():
		d.float(n, v, secret)
	default:
		n.fail(d.found, fmt.Sprintf("the Go type %s can not be read from a document", v.Type()))
	}
}

// text takes text only. A number or boolean without quotes may have been meant as one.
func (d *decoder) text(n *node, v reflect.Value, secret bool) {
	switch n.kind {
	case text:
		n.settle(text)
		v.SetString(n.value)
	case boolean, number:
		n.fail(d.found, "expected a string, got "+n.describe(secret)+"; quote it")
	default:
		d.mismatch(n, expected(v.Type()), secret)
	}
}

func (d *decoder) boolean(n *node, v reflect.Value, secret bool) {
	value, ok := n.asBoolean()
	if !ok {
		d.notBoolean(n, secret)
		return
	}
	n.settle(boolean)
	v.SetBool(value)
}

// booleanWords are what other notations have for true and false.
var booleanWords = map[string]string{"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

func (d *decoder) notBoolean(n *node, secret bool) {
	word := booleanWords[strings.ToLower(n.value)]
	if word == "" || secret || n.raw != "" || d.found.full() {
		d.mismatch(n, "true or false", secret)
		return
	}
	n.failed = true
	d.found.add(&Error{
		Position:   n.pos,
		Path:       n.path(),
		Msg:        "expected true or false, got " + n.describe(secret),
		Suggestion: fmt.Sprintf("did you mean %q?", word),
	})
}

// asBoolean reads true and false, and nothing else: yes, on and 1 are not taken for it.
func (n *node) asBoolean() (value, ok bool) {
	isBoolean := n.kind == boolean || n.kind == text && n.retypes() && (n.value == "true" || n.value == "false")
	return n.value == "true", isBoolean
}

// asNumber returns the text of a number.
func (n *node) asNumber() (string, bool) {
	return n.value, n.kind == number || n.kind == text && n.retypes() && plainNumber.MatchString(n.value)
}

// The numbers of JSON (RFC 8259 section 6). YAML has more, and 010 is one of them: eight to
// some readers, ten to others.
var (
	plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)
	wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
)

// number returns the text of a number that is written the plain way, or reports why it is none.
func (d *decoder) number(n *node, want string, secret bool) (string, bool) {
	digits, ok := n.asNumber()
	switch {
	case !ok:
		d.mismatch(n, want, secret)
	case !plainNumber.MatchString(digits):
		n.fail(d.found, `write the number in decimal digits, without "+", "_" or leading zeros, or quote it if it is a string`)
		return "", false
	}
	return digits, ok
}

func (d *decoder) whole(n *node, v reflect.Value, secret bool) {
	want := expected(v.Type())
	digits, ok := d.number(n, want, secret)
	if !ok {
		return
	}
	if !wholeNumber.MatchString(digits) {
		d.mismatch(n, want, secret)
		return
	}
	if !setWhole(v, digits) {
		d.mismatch(n, want+" "+wholeRange(v), secret)
		return
	}
	n.settle(number)
}

// setWhole sets v unless the number is out of range.
func setWhole(v reflect.Value, digits string) bool {
	bits := v.Type().Bits()
	if v.CanInt() {
		i, err := strconv.ParseInt(digits, 10, bits)
		if err == nil {
			v.SetInt(i)
		}
		return err == nil
	}
	u, err := strconv.ParseUint(digits, 10, bits)
	if err == nil {
		v.SetUint(u)
	}
	return err == nil
}

func wholeRange(v reflect.Value) string {
	bits := v.Type().Bits()
	if v.CanInt() {
		return fmt.Sprintf("from %d to %d", int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
	}
	return fmt.Sprintf("from 0 to %d", uint64(math.MaxUint64)>>(64-bits))
}

func (d *decoder) float(n *node, v reflect.Value, secret bool) {
	digits, ok := d.number(n, expected(v.Type()), secret)
	if !ok {
		return
	}
	f, err := strconv.ParseFloat(digits, v.Type().Bits())
	if err != nil {
		n.fail(d.found, "the number is out of range")
		return
	}
	n.settle(number)
	v.SetFloat(f)
}

// tooLarge is where whole numbers begin to share a float64: 2^53 and 2^53 + 1 are held as the same.
const tooLarge = 1 << 53

// plainNumber decodes a number into an interface. A whole number that would come out as another
// one is refused.
func (d *decoder) plainNumber(n *node, v reflect.Value) {
	var f float64
	d.float(n, reflect.ValueOf(&f).Elem(), false)
	if wholeNumber.MatchString(n.value) && math.Abs(f) >= tooLarge {
		n.fail(d.found, "the number is too large to be held exactly; quote it")
		return
	}
	v.Set(reflect.ValueOf(f))
}
