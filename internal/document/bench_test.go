package document_test

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/document"
)

// BenchmarkLoad measures a document of ordinary size in both notations.
func BenchmarkLoad(b *testing.B) {
	for name, text := range map[string]string{"conf/gate.yaml": located, "gate.json": both} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, _, err := load(name, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLoadHostile measures documents near 1 MiB that are made to be slow: time must grow with the size alone.
func BenchmarkLoadHostile(b *testing.B) {
	deepKey := strings.Repeat(strings.Repeat("k", 250)+": {", 60)
	for name, test := range map[string]struct{ name, text string }{
		"unknown keys":           {"gate.json", `{"a":0` + distinct(`,"%":1`, 100_000) + "}"},
		"duplicate keys":         {"gate.yaml", "any: {" + strings.Repeat("a: 1, ", 170_000) + "}"},
		"errors below long keys": {"gate.yaml", "any: {" + deepKey + strings.Repeat("a: 1, ", 160_000) + strings.Repeat("}", 61)},
		"an error at the end":    {"gate.yaml", strings.Repeat("a: [b]\n", 140_000) + "c: d\n }\n"},
		"one long line of JSON":  {"gate.json", `{"any":[` + strings.Repeat("1,", 500_000) + "1]}"},
		"open brackets":          {"gate.yaml", strings.Repeat("[", 1<<20)},
		"open references":        {"gate.yaml", "mode: " + strings.Repeat("${", 500_000)},
		"masked references":      {"gate.yaml", "mode: " + strings.Repeat("${A:-,,}", 130_000)},
		"escaped references":     {"gate.yaml", "mode: " + strings.Repeat("$${", 340_000)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(test.text)))
			var c config
			for b.Loop() {
				document.Load(test.name, []byte(test.text), &c, options)
			}
		})
	}
}

// distinct repeats a pattern with a different word in place of each "%".
func distinct(pattern string, times int) string {
	var out strings.Builder
	for i := range times {
		word := []byte{byte('a' + i%26), byte('a' + i/26%26), byte('a' + i/676%26), byte('a' + i/17576%26)}
		out.WriteString(strings.Replace(pattern, "%", string(word), 1))
	}
	return out.String()
}
