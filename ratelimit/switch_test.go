package ratelimit

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// counted is a limiter that can count apart for instances.
type counted interface {
	policy.Limiter
	Of(instance string) policy.Limiter
}

// eachLimiter runs a test with the counts in memory and in a real Redis.
func eachLimiter(t *testing.T, test func(*testing.T, counted)) {
	t.Run("memory", func(t *testing.T) { test(t, NewMemory(Options{})) })
	t.Run("redis", func(t *testing.T) {
		client, _ := oneServer(t)
		test(t, newRedis(t, client))
	})
}

// Whoever switches between quotas, limits, definitions and instances at random is
// judged by each as if there were no other.
func TestWhoSwitchesIsJudgedByEachQuotaAsIfThereWereNoOther(t *testing.T) {
	t.Parallel()
	eachLimiter(t, func(t *testing.T, limiter counted) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		random := rand.New(rand.NewPCG(seed, 1))
		type counter struct {
			instance, limit, key string
			definition           uint64
			quota                policy.Quota
		}
		now := start.UnixNano()
		for round := range 12 {
			quotas := []policy.Quota{randomQuota(random), randomQuota(random), randomQuota(random)}
			// Quotas that differ in one number alone.
			larger, faster := quotas[0], quotas[0]
			larger.Limit++
			faster.Window += time.Duration(1 + random.Int64N(int64(time.Hour)))
			quotas = append(quotas, larger, faster)
			models := map[counter]*model{}
			for range 300 {
				c := counter{
					instance: fmt.Sprint(random.IntN(2)), limit: fmt.Sprint(random.IntN(2)), key: fmt.Sprint(round, random.IntN(2)),
					definition: uint64(random.IntN(2)), quota: quotas[random.IntN(len(quotas))],
				}
				check := policy.LimitCheck{Name: c.limit, Definition: c.definition, Key: c.key, Quota: c.quota, Cost: 1 + random.IntN(1+min(c.quota.Limit, 1<<20))}
				id := idOf("", "", c.quota)
				if c.quota.Algorithm == policy.TokenBucket { // one that says the same in other words is the same
					c.quota = policy.Quota{Algorithm: policy.TokenBucket, Limit: int(id.quota.capacity), Window: time.Duration(id.quota.period)}
				}
				if models[c] == nil {
					models[c] = &model{quota: id.quota}
				}
				now += random.Int64N(int64(quotas[0].Window)/64 + 2)
				results := make([]policy.LimitResult, 1)
				if err := limiter.Of(c.instance).Take(t.Context(), time.Unix(0, now), []policy.LimitCheck{check}, results); err != nil {
					t.Fatal(err)
				}
				models[c].verify(t, now, int64(check.Cost), results[0])
			}
		}
	})
}

// whoever signs in as whom a header names.
type whoever map[string]*policy.Principal

func (w whoever) Authenticate(_ context.Context, r *policy.Request, _ policy.TokenTypes, _ time.Time) policy.AuthState {
	return policy.AuthState{Status: policy.SignedIn, Principal: w[r.Headers[0].Value], Presented: true}
}

// One person switches between organizations, plans and roles as they like. What
// they used of one quota stays used when they come back to it, so that no more
// passes than the sum of all quotas.
func TestSwitchingForgetsNothing(t *testing.T) {
	t.Parallel()
	who := whoever{
		"free":  {TokenType: policy.SessionToken, UserID: "user_1"},
		"other": {TokenType: policy.SessionToken, UserID: "user_1", OrgID: "org_2", OrgRole: "org:member"},
		"pro":   {TokenType: policy.SessionToken, UserID: "user_1", OrgID: "org_1", OrgRole: "org:member", Plans: policy.ParseEntitlements("o:pro")},
		"admin": {TokenType: policy.SessionToken, UserID: "user_1", OrgID: "org_3", OrgRole: "org:admin"},
	}
	most := map[string]int{"free": 6, "other": 6, "pro": 60, "admin": 24}
	eachLimiter(t, func(t *testing.T, limiter counted) {
		for _, algorithm := range []policy.Algorithm{policy.TokenBucket, policy.SlidingWindow, policy.FixedWindow} {
			gate := func(instance string, limit policy.Limit) *policy.Policy {
				limit.Algorithm, limit.Key = algorithm, policy.StringList{"user"}
				p, err := policy.New(policy.Config{
					Limits: map[string]policy.Limit{"api": limit},
					Rules:  []policy.Rule{{Name: "api", Match: policy.Match{Path: policy.StringList{"/api/(.*)"}}, Limits: policy.StringList{"api"}}},
				}, policy.Deps{Now: func() time.Time { return start }, Limiter: limiter.Of(instance), Authenticator: who})
				if err != nil {
					t.Fatal(err)
				}
				return p
			}
			hour := policy.Duration(time.Hour)
			limit := policy.Limit{Limit: 6, Window: hour, Plans: map[string]int{"pro": 60}, Roles: map[string]int{"admin": 24}}
			gates := []*policy.Policy{
				gate("a", limit), gate("b", limit), // instances
				gate("a", policy.Limit{Limit: 6, Window: hour}),                              // another site's limit of that name
				gate("a", policy.Limit{Limit: 6, Window: policy.Duration(30 * time.Minute)}), // and one of another window
			}
			names := []string{"free", "other", "pro", "admin"}
			random := rand.New(rand.NewPCG(7, 8))
			passed := make([]map[string]int, len(gates))
			for range 2000 {
				g, name := random.IntN(len(gates)), names[random.IntN(len(names))]
				if random.IntN(50) == 0 { // a reload of what did not change
					gates[0] = gate("a", limit)
				}
				d := gates[g].Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/api/x", Headers: []policy.Header{{Name: "X-Who", Value: name}}})
				if passed[g] == nil {
					passed[g] = map[string]int{}
				}
				if d.Allowed() {
					passed[g][name]++
				}
			}
			for g := range gates {
				for _, name := range []string{"pro", "admin"} {
					want := most[name]
					if g >= 2 {
						want = 0 // they have no quota of their own there
					}
					if got := passed[g][name]; want > 0 && got != want {
						t.Errorf("%s, gate %d: %d passed as %s, want %d", algorithm, g, got, name, want)
					}
				}
				sum := passed[g]["free"] + passed[g]["other"]
				if g >= 2 {
					sum += passed[g]["pro"] + passed[g]["admin"]
				}
				if sum != 6 {
					t.Errorf("%s, gate %d: %d passed of the quota of 6", algorithm, g, sum)
				}
			}
		}
	})
}
