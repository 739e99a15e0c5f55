package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// tokenInput is a token, and under which keys and rules it is presented.
type tokenInput struct {
	Token             string          `json:"token"`
	Base64            string          `json:"token_b64"`
	Runs              [][2]any        `json:"token_rle"` // text and how often
	JWKS              json.RawMessage `json:"jwks"`
	Now               int64           `json:"now"`
	Issuer            string          `json:"issuer"`
	AuthorizedParties []string        `json:"authorized_parties"`
	Leeway            int64           `json:"leeway_s"`
	// Prior steps are inputs that say only what differs.
	Prior []json.RawMessage `json:"prior"`
}

type tokenAttack struct {
	attack[tokenInput]
	Identity map[string]string `json:"identity"`
}

// Every recorded token, valid or not, gets its verdict in the default mode, on
// one verifier instance with everything presented to it before.
func TestAttackTokens(t *testing.T) {
	t.Parallel()
	count := score{name: "tokens"}
	for _, file := range []string{"tokens", "tokens-wycheproof"} {
		for _, c := range loadTokenAttacks(t, file) {
			err := c.judge(t)
			count.add(c.expected() == "reject", c.expected() == "accept", err == nil, false)
			if err != nil {
				t.Errorf("%s: %v (%s)", c.ID, err, c.Why)
			}
		}
	}
	count.report(t)
}

func loadTokenAttacks(t *testing.T, name string) []tokenAttack {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(readAttacks(t, name)))
	var cases []tokenAttack
	for {
		var c tokenAttack
		err := d.Decode(&c)
		if errors.Is(err, io.EOF) {
			return cases
		}
		if err != nil {
			t.Fatalf("%s: case %d: %v", name, len(cases)+1, err)
		}
		cases = append(cases, c)
	}
}

// judge presents the case and what comes before it, and says what is wrong with
// the verdict.
func (c *tokenAttack) judge(t *testing.T) error {
	t.Helper()
	v := tokenVerifier{cache: jwt.NewCache()}
	for _, step := range c.Input.Prior {
		in := c.Input
		in.Token, in.Base64, in.Runs = "", "", nil
		in.JWKS, in.AuthorizedParties = slices.Clone(in.JWKS), slices.Clone(in.AuthorizedParties) // decoded in place
		if err := json.Unmarshal(step, &in); err != nil {
			t.Fatal(err)
		}
		_, _ = v.verify(t, in)
	}
	p, err := v.verify(t, c.Input)
	switch {
	case c.expected() == "reject" && err == nil:
		return fmt.Errorf("accepted for %q", p.UserID)
	case c.expected() == "reject":
		return nil
	case err != nil:
		return fmt.Errorf("refused: %w", err)
	case !maps.Equal(identityOf(p), c.Identity):
		return fmt.Errorf("identity %v, want %v", identityOf(p), c.Identity)
	}
	return nil
}

// tokenVerifier stands for one process: rules may change with its configuration,
// and keys with their rotation, while what it remembers stays.
type tokenVerifier struct {
	cache *jwt.Cache
}

func (v *tokenVerifier) verify(t *testing.T, in tokenInput) (*policy.Principal, error) {
	t.Helper()
	keys, err := jwt.ParseKeySet(in.JWKS)
	if err != nil {
		keys = noKeys{}
	}
	expected := jwt.Expected{
		Issuers:           []string{in.Issuer},
		AuthorizedParties: in.AuthorizedParties,
		Leeway:            time.Duration(in.Leeway) * time.Second,
	}
	return jwt.NewVerifier(expected, keys, v.cache).Verify(t.Context(), in.text(t), time.Unix(in.Now, 0))
}

// text returns the token in whichever form the case has it.
func (in *tokenInput) text(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, run := range in.Runs {
		b.WriteString(strings.Repeat(run[0].(string), int(run[1].(float64))))
	}
	return textOr64(t, in.Token, in.Base64) + b.String()
}

func identityOf(p *policy.Principal) map[string]string {
	id := map[string]string{"sub": p.UserID, "sid": p.SessionID}
	if p.OrgID != "" {
		id["org_id"], id["org_role"] = p.OrgID, p.OrgRole
	}
	return id
}

// noKeys is the key set of an endpoint that has none.
type noKeys struct{}

func (noKeys) Key(context.Context, string, time.Time) (*jwt.Key, error) {
	return nil, jwt.ErrKeysUnavailable
}
