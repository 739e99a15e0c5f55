package jsregexp

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// What Node 20 accepts and refuses with flag i.
func TestParseAcceptsWhatJavaScriptDoes(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		``, `|`, `(?=a)*`, `(?!a){2}`, `\k`, `\k<n>`, `\k<n>(?<n>a)`, `(?<n>\k<n>a)`, `[\d-z]`, `[z-\d]`, `[a-\d-z]`,
		`\u{2}`, `\c`, `\c1`, `[\c1]`, `[\c_]`, `[\c*]`, `\8`, `[\8]`, `\08`, `\377`, `\400`, `a{99999999999}`,
		`x{`, `x{1`, `x{,1}`, `{1`, `{`, `}`, `]`, `[]`, `[^]`, `(?<a$_é>a)`, `[a-]`, `[-a]`, `a*?`, `a{1}?`, `\p{L}`,
		`[\b]`, `[\B]`, `[\w-a]`, `\x`, `\x4`, `\xg`, `\u00`, `(?:a)*?`, `()*`, `[^\s\S]`, `\1`, `\1(a)`, `(a\1)`,
		`(a)\2`, `[\1]`, `[\-]`,
	} {
		if _, err := Parse(source, Options{}); err != nil {
			t.Errorf("Parse(%q): %v", source, err)
		}
	}
}

func TestParseRefusesWhatJavaScriptDoes(t *testing.T) {
	t.Parallel()
	for _, source := range []string{
		`(?<=a)*`, `(?<!a)?`, `(?<=a){2}`, `[\k](?<n>a)`, `\k<m>(?<n>a)`, `(?<n>a)(?<n>b)`, `(?<n>a)|(?<n>b)`,
		`[b-a]`, `a{2,1}`, `a{99999999999,1}`, `a{2}{3}`, `^*`, `$*`, `\b*`, `{1}`, `[`, `(?`, `(?a)`, `(?<`, `(?<a`,
		`(?<>a)`, `(?<1>a)`, `(?<!a`, `(`, `())`, `\`, `[\`, `[a-`, `(?i:a)`, `a**`, `a*??`, `a+*`, `a{1}??`, `(?:`,
		`(?<n>a)\k`, `(?<n>a)[\k]`, `(?<n>a)\k<n`, `a|*`, `(|*)`, `(*)`, `(?<a😀>b)`,
	} {
		_, err := Parse(source, Options{})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Msg == "" || e.Offset > len(source) {
			t.Errorf("Parse(%q) = %#v", source, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for r, want := range map[rune]rune{
		'a': 'A', 'Z': 'Z', '1': '1', 'é': 'É', 'ÿ': 'Ÿ', 'µ': 'Μ', 'ς': 'Σ', 'ǅ': 'Ǆ', '\u0345': 'Ι',
		'ſ': 'ſ', '\u212a': '\u212a', 'ı': 'ı', 'ß': 'ß', 'ẞ': 'ẞ', 'ﬀ': 'ﬀ', 'ᾀ': 'ᾀ', 'ᾈ': 'ᾈ', '\u2126': '\u2126',
		'\u019b': '\ua7dc', '𐐨': '𐐨',
	} {
		if got := Canonical(r); got != want {
			t.Errorf("Canonical(%U) = %U, want %U", r, got, want)
		}
	}
}

func TestFoldingIsAnEquivalence(t *testing.T) {
	t.Parallel()
	for u := rune(0); u <= maxUnit; u++ {
		if c := Canonical(u); Canonical(c) != c {
			t.Errorf("Canonical(%U) = %U, Canonical of that %U", u, c, Canonical(c))
		}
		if u >= 0x80 && Canonical(u) < 0x80 {
			t.Errorf("Canonical(%U) is in ASCII", u)
		}
	}
}

func TestEncodeMakesOneRuneOfEachCodeUnit(t *testing.T) {
	t.Parallel()
	for text, units := range map[string]int{"": 0, "aé日": 3, "😀": 2, "a😀\U0010FFFFb": 6} {
		encoded := Encode(text)
		if got := len([]rune(encoded)); got != units {
			t.Errorf("Encode(%q) has %d runes, want %d", text, got, units)
		}
		if got := Decode(encoded); got != text {
			t.Errorf("Decode(Encode(%q)) = %q", text, got)
		}
		if got := Units(nil, text); len(got) != units || Text(got) != text {
			t.Errorf("Units(%q) = %U", text, got)
		}
	}
}

func TestHalfACharacterIsNone(t *testing.T) {
	t.Parallel()
	_, size := utf8.DecodeRuneInString(Encode("😀"))
	if got := Decode(Encode("😀")[:size]); got != "\uFFFD" {
		t.Errorf("Decode = %q", got)
	}
	if got := Text(Units(nil, "😀")[1:]); got != "\uFFFD" {
		t.Errorf("Text = %q", got)
	}
}

func TestATableIsMadeOfWhatASinglePassCanTell(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]bool{
		`^a$`: true, `^(?!a)b$`: true, `^a(?=b(?!c))`: true, `^(?:a*)*$`: true, `^a{999}$`: false, `^a{900}$`: true,
		`a$`: false, `^a|b$`: false, `^a(?<=a)$`: false, `^(a)\1$`: false, `^\ba$`: false, `^a^`: false,
		`^.*a.{20}$`: false, `^` + strings.Repeat(`(?:a|`, 5) + `b` + strings.Repeat(`)*`, 5) + `$`: true,
	} {
		re, err := Parse(source, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := re.Table(); ok != want {
			t.Errorf("Table(%q): %v", source, ok)
		}
	}
}

// A search without an anchor at its end has found what it looks for, whatever follows.
func TestATableFindsAPrefix(t *testing.T) {
	t.Parallel()
	for _, source := range []string{`^ab`, `^(?!b)ab`} {
		re, err := Parse(source, Options{})
		if err != nil {
			t.Fatal(err)
		}
		table, ok := re.Table()
		if !ok || !table.Match("AB\nc") || table.Match("aab") || table.Match("") {
			t.Errorf("%q: wrong", source)
		}
	}
}

// Behind a wildcard there is nothing left to read, and after a miss neither.
func TestATableKnowsWhenAllThatFollowsIsTheSame(t *testing.T) {
	t.Parallel()
	re, err := Parse(`^\/a(.*)[\/#\?]?$`, Options{DotAll: true})
	if err != nil {
		t.Fatal(err)
	}
	table, ok := re.Table()
	if !ok {
		t.Fatal("no table")
	}
	start := int(table.start)
	if state := table.step(table.step(start, '/'), 'A'); state != accepted {
		t.Errorf("after /A the state is %d", state)
	}
	if state := table.step(start, 'x'); state != rejected {
		t.Errorf("after x the state is %d", state)
	}
}

func TestGroupNumbersFollowTheSource(t *testing.T) {
	t.Parallel()
	re, err := Parse(`(a)(?:b)((?<n>c)[(])`, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for offset, want := range map[int]int{0: 1, 3: 0, 8: 2, 9: 3, 17: 0} {
		if got := re.Group(offset); got != want {
			t.Errorf("Group(%d) = %d, want %d", offset, got, want)
		}
	}
}

// Parse never panics, and its error lies within the source.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{`^(?:\/([^\/#\?]+?))[\/#\?]?$`, `(?<n>a)\k<n>[^\d-x]{2,}?`, `(?<!a|b)(?=c)*\cA\x41\u{3}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		re, err := Parse(source, Options{})
		if err == nil {
			re.ECMAScript()
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || re != nil || e.Offset < 0 || e.Offset > len(source) {
			t.Errorf("Parse(%q) = %v, %#v", source, re, err)
		}
	})
}
