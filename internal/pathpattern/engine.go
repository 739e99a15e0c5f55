package pathpattern

import (
	"regexp"
	"sync"
	"time"

	"github.com/dlclark/regexp2/v2"

	"github.com/clerkgate/clerkgate/internal/pathpattern/jsregexp"
)

// engine runs one expression.
type engine interface {
	match(path string) (bool, error)
	// groups matches again for what the groups took. Group 0 takes nothing.
	groups(path string) (func(group int) capture, error)
}

// capture is what a group took; not ok when it took no part.
type capture struct {
	text string
	ok   bool
}

// newEngine picks the linear-time engine wherever it can express re exactly.
func newEngine(re *jsregexp.Regexp) (engine, error) {
	if expr, ok := re.RE2(); ok {
		if compiled, err := regexp.Compile(expr); err == nil { // else it is too large
			return linear{compiled}, nil
		}
	}
	return newBacktracking(re)
}

// linear is Go's own engine. Its text is that of jsregexp.Encode.
type linear struct{ re *regexp.Regexp }

func (e linear) match(path string) (bool, error) {
	return e.re.MatchString(jsregexp.Encode(path)), nil
}

func (e linear) groups(path string) (func(int) capture, error) {
	text := jsregexp.Encode(path)
	at := e.re.FindStringSubmatchIndex(text)
	return func(group int) capture {
		if group == 0 || at == nil || at[2*group] < 0 {
			return capture{}
		}
		return capture{jsregexp.Decode(text[at[2*group]:at[2*group+1]]), true}
	}, nil
}

// The limits of one match on the backtracking engine.
const (
	matchTimeout = 10 * time.Millisecond
	clockPeriod  = time.Millisecond // how exactly the engine keeps the timeout
	maxStack     = 100_000          // entries
)

// setClock makes the engine's clock, which ticks only while it is in use, finer
// than the timeout. It is the engine's one setting for the whole process.
var setClock = sync.OnceFunc(func() { regexp2.SetTimeoutCheckPeriod(clockPeriod) })

// backtracking is the engine for what Go's own cannot express. Its text is the
// code units of the path.
type backtracking struct{ re *regexp2.Regexp }

func newBacktracking(re *jsregexp.Regexp) (engine, error) {
	setClock()
	options := regexp2.ECMAScript
	if re.Backrefs() {
		options |= regexp2.IgnoreCase
	}
	compiled, err := regexp2.Compile(re.ECMAScript(), options, regexp2.OptionMaxBacktrackingStackSize(maxStack))
	if err != nil {
		return nil, err
	}
	compiled.MatchTimeout = matchTimeout
	return backtracking{compiled}, nil
}

func (e backtracking) match(path string) (bool, error) {
	return limited(e.re.MatchRunes, path)
}

func (e backtracking) groups(path string) (func(int) capture, error) {
	m, err := limited(e.re.FindRunesMatch, path)
	if err != nil {
		return nil, err
	}
	return func(group int) capture {
		if group == 0 || m == nil {
			return capture{}
		}
		g := m.GroupByNumber(group)
		if g == nil || len(g.Captures) == 0 {
			return capture{}
		}
		return capture{jsregexp.Text(g.Runes()), true}
	}, nil
}

// limited runs find. The engine's clock stands still while the machine is busy and
// then leaps, so a match that ran out of time sooner than it could is tried again.
func limited[T any](find func([]rune) (T, error), path string) (T, error) {
	units := jsregexp.Units(nil, path)
	started := time.Now()
	found, err := find(units)
	if err != nil && time.Since(started) < matchTimeout {
		found, err = find(units)
	}
	if err != nil {
		var none T
		return none, ErrTimeout // the engine's own error quotes the path
	}
	return found, nil
}
