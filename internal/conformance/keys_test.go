package conformance

import (
	"testing"

	"github.com/clerkgate/clerkgate/session"
)

type keysInput struct {
	PublishableKey string `json:"publishableKey"`
	Options        struct {
		Domain      string `json:"domain"`
		IsSatellite bool   `json:"isSatellite"`
		ProxyURL    string `json:"proxyUrl"`
	} `json:"options"`
}

type keysAnswer struct {
	Valid        bool    `json:"valid"`
	InstanceType *string `json:"instanceType"`
	FrontendAPI  *string `json:"frontendApi"`
	Suffix       string  `json:"suffix"`
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, set := range vectorSets() {
		count := tally{family: "keys" + set.label}
		for _, v := range loadVectors[keysInput, keysAnswer](t, set, "keys") {
			got := readKey(v.Input)
			count.add(v.ID, v.Quirk(), judgeKey(got, v.Expect), v.Input, got)
		}
		count.report(t)
	}
}

func readKey(in keysInput) keysAnswer {
	answer := keysAnswer{Suffix: session.CookieSuffix(in.PublishableKey)}
	key, err := session.ParsePublishableKey(in.PublishableKey)
	if err != nil {
		return answer
	}
	instance := "development"
	if key.Production {
		instance = "production"
	}
	answer.Valid = true
	answer.InstanceType = &instance
	answer.FrontendAPI = new(key.FrontendAPI(in.Options.ProxyURL, in.Options.Domain, in.Options.IsSatellite))
	return answer
}

// judgeKey takes a key that the reference does not know for a grant.
func judgeKey(got, want keysAnswer) verdict {
	switch {
	case got.Valid == want.Valid && got.Suffix == want.Suffix && same(got.InstanceType, want.InstanceType) && same(got.FrontendAPI, want.FrontendAPI):
		return agrees
	case got.Valid && !want.Valid:
		return permissive
	}
	return differs
}

// same compares values that may be absent.
func same[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}
