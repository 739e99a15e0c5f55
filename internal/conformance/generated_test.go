package conformance

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"

	"github.com/clerkgate/clerkgate/internal/npmtest"
)

var (
	generatedCases = flag.Int("conformance.cases", 1000, "how many generated requests are put to Clerk's own library")
	// The same requests each time, so that what fails was changed here. Others are for
	// whoever looks for more: -conformance.seed $RANDOM -conformance.cases 20000.
	generatedSeed = flag.Uint64("conformance.seed", 21, "what the generated requests depend on")
)

// Generated requests get the same answer from us as from Clerk's own library, as
// it runs here: to the letter in reference mode, and by default never a more
// permissive one but for the differences that are meant.
func TestAuthenticateGenerated(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, *generatedSeed)
	vectors := make([]authVector, *generatedCases)
	inputs := make([][]byte, len(vectors))
	for i := range vectors {
		v := &vectors[i]
		v.ID = fmt.Sprintf("generated.%d.%d", *generatedSeed, i)
		v.Input = g.input()
		inputs[i] = mustJSON(t, v.Input)
	}
	for i, decision := range npmtest.Decide(t, inputs) {
		if err := json.Unmarshal(decision, &vectors[i].Expect); err != nil {
			t.Fatal(err)
		}
		if vectors[i].Expect.Status == "error" {
			vectors[i].Tags = []string{"quirk"} // the library did not survive it
		}
	}
	compat := tally{family: "generated"}
	hardened := tally{family: "generated, by default", refusing: true}
	meant, meantByDefault := countDeviations(referenceDeviations), countDeviations(defaultDeviations)
	signedIn := 0
	for i := range vectors {
		v := &vectors[i]
		if v.Expect.Status == "signed-in" {
			signedIn++
		}
		got := authenticate(t, &v.Input, true)
		verdict, why := judgeAuth(&got, v)
		if verdict != agrees && meant.explains(v, &got) {
			verdict = deviates
		}
		compat.add(v.ID, v.Quirk(), verdict, authSummary(v)+"\n"+string(inputs[i])+"\n", why)
		got = authenticate(t, &v.Input, false)
		verdict, why = judgeAuth(&got, v)
		if verdict == permissive && meantByDefault.explains(v, &got) {
			verdict = deviates
		}
		hardened.add(v.ID, v.Quirk(), verdict, authSummary(v)+"\n"+string(inputs[i])+"\n", why)
	}
	fmt.Fprintf(t.Output(), "seed %d: the library signs in %d of %d\n", *generatedSeed, signedIn, len(vectors))
	compat.report(t)
	hardened.report(t)
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
