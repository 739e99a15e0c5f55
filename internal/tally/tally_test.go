package tally

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

const secret = "whsec_Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTAx"

// openStores are stores over a Redis, or in memory where there is no address.
func openStores(t *testing.T, address string, memory *setup.Memory) *setup.Stores {
	t.Helper()
	config := &setup.Config{Clerk: session.Config{PublishableKey: "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k", WebhookSecret: secret}}
	if address != "" {
		config.Redis = setup.Redis{Config: redisclient.Config{Addresses: policy.StringList{address}}, Budget: policy.Duration(20 * time.Second)}
	}
	stores, err := setup.OpenStores(config, memory, setup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := stores.Receiver(config)
	if err != nil {
		t.Fatal(err)
	}
	for _, deliver := range []struct{ secret, id string }{{secret, "msg_1"}, {secret, "msg_1"}, {secret, "msg_2"}, {"whsec_b3RoZXI=", "msg_3"}} {
		body := `{"object":"event","type":"session.created","timestamp":1,"data":{"id":"sess_1"}}`
		r := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", strings.NewReader(body))
		r.Header = clerktest.SignWebhook(deliver.secret, deliver.id, time.Now(), []byte(body))
		receiver.ServeHTTP(httptest.NewRecorder(), r)
	}
	return stores
}

// count has each key checked three times against a limit of two.
func count(t *testing.T, stores *setup.Stores, limit string, keys ...string) {
	t.Helper()
	for _, key := range keys {
		for range 3 {
			check := policy.LimitCheck{Name: limit, Key: key, Cost: 1, Quota: policy.Quota{Algorithm: policy.FixedWindow, Limit: 2, Window: 24 * time.Hour}}
			if err := stores.Limiter.Take(t.Context(), time.Now(), []policy.LimitCheck{check}, make([]policy.LimitResult, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func compare(t *testing.T, registry prometheus.Gatherer, want string, names ...string) {
	t.Helper()
	var text strings.Builder
	for _, f := range families { // comments are part of what is compared
		for _, name := range names {
			if f.name == name {
				kind := map[prometheus.ValueType]string{counter: "counter", gauge: "gauge"}[f.kind]
				text.WriteString("# HELP " + name + " " + f.help + "\n# TYPE " + name + " " + kind + "\n")
				for line := range strings.Lines(want) {
					if strings.HasPrefix(line, name+"{") {
						text.WriteString(line)
					}
				}
			}
		}
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(text.String()), names...); err != nil {
		t.Error(err)
	}
}

func TestStoresAreSummedAndCountersGoOnAfterThem(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	memory := setup.NewMemory()
	first, second := openStores(t, server.Addr, memory), openStores(t, "", memory)
	tally, registry := New(), prometheus.NewPedanticRegistry()
	if err := tally.Register(registry, "envoy"); err != nil {
		t.Fatal(err)
	}
	counters := []string{"clerkgate_limit_store_checks_total", "clerkgate_limit_store_calls_total", "clerkgate_limit_store_requests_total", "clerkgate_webhooks_total"}
	gauges := []string{"clerkgate_limit_memory_keys", "clerkgate_limit_store_breakers", "clerkgate_limit_store_breakers_open", "clerkgate_revocation_entries"}
	compare(t, registry, `
clerkgate_limit_memory_keys{adapter="envoy"} 0
clerkgate_limit_store_breakers{adapter="envoy"} 0
clerkgate_limit_store_breakers_open{adapter="envoy"} 0
clerkgate_limit_store_calls_total{adapter="envoy"} 0
clerkgate_limit_store_requests_total{adapter="envoy"} 0
clerkgate_revocation_entries{adapter="envoy"} 0
clerkgate_webhooks_total{adapter="envoy",result="busy"} 0
clerkgate_webhooks_total{adapter="envoy",result="failed"} 0
clerkgate_webhooks_total{adapter="envoy",result="refused"} 0
clerkgate_webhooks_total{adapter="envoy",result="taken"} 0
`, append(gauges, counters[1:]...)...)

	tally.Open(first)
	tally.Open(second)
	count(t, first, "shared", "a") // the third is refused by the store
	count(t, first, "shared", "a") // and these by what is known
	count(t, second, "own", "b", "c")
	if err := second.Revocations.RevokeSession(t.Context(), "sess_1"); err != nil {
		t.Fatal(err)
	}
	kept := `
clerkgate_limit_store_calls_total{adapter="envoy"} 3
clerkgate_limit_store_checks_total{adapter="envoy",answer="error",limit="shared"} 0
clerkgate_limit_store_checks_total{adapter="envoy",answer="local",limit="shared"} 3
clerkgate_limit_store_checks_total{adapter="envoy",answer="store",limit="shared"} 3
clerkgate_limit_store_requests_total{adapter="envoy"} 3
clerkgate_webhooks_total{adapter="envoy",result="busy"} 0
clerkgate_webhooks_total{adapter="envoy",result="failed"} 0
clerkgate_webhooks_total{adapter="envoy",result="refused"} 2
clerkgate_webhooks_total{adapter="envoy",result="taken"} 4
`
	compare(t, registry, kept+`
clerkgate_limit_memory_keys{adapter="envoy"} 3
clerkgate_limit_store_breakers{adapter="envoy"} 1
clerkgate_limit_store_breakers_open{adapter="envoy"} 0
clerkgate_revocation_entries{adapter="envoy"} 1
`, append(gauges, counters...)...)

	for range 2 { // the second time nothing is left to keep
		for _, stores := range []*setup.Stores{first, second} {
			stores.Close()
			tally.Close(stores)
		}
	}
	compare(t, registry, kept+`
clerkgate_limit_memory_keys{adapter="envoy"} 0
clerkgate_limit_store_breakers{adapter="envoy"} 0
clerkgate_limit_store_breakers_open{adapter="envoy"} 0
clerkgate_revocation_entries{adapter="envoy"} 0
`, append(gauges, counters...)...)
}

// Several handlers register, and so does each configuration.
func TestATallyIsRegisteredOnce(t *testing.T) {
	t.Parallel()
	registry, tally := prometheus.NewPedanticRegistry(), New()
	for _, adapter := range []string{"caddy", "caddy", "envoy"} {
		if err := tally.Register(registry, adapter); err != nil {
			t.Error(err)
		}
	}
	if err := New().Register(registry, "caddy"); err == nil {
		t.Error("another tally is shown under the same names")
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

func TestLimitsThatAreToldApartAreBounded(t *testing.T) {
	t.Parallel()
	var sum totals
	many := map[string]ratelimit.LimitStats{"": {Local: 1}}
	for i := range 2 * maxLimits {
		many["limit-"+strings.Repeat("x", i)] = ratelimit.LimitStats{Local: 1}
	}
	for range 2 {
		sum.addLimits(ratelimit.Stats{Limits: many})
	}
	if n := len(sum.limits.Limits); n > maxLimits+1 {
		t.Errorf("%d limits are told apart", n)
	}
	var local uint64
	for _, l := range sum.limits.Limits {
		local += l.Local
	}
	if want := uint64(2 * len(many)); local != want {
		t.Errorf("%d checks are left of %d", local, want)
	}
}
