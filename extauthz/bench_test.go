package extauthz

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/clerkgate/clerkgate/policy"
)

// alwaysOK is the least that an ext_authz server can do.
type alwaysOK struct {
	authv3.UnimplementedAuthorizationServer
}

func (alwaysOK) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{}}}, nil
}

// benchCheck is what Envoy sends for a page that a browser loads.
func benchCheck(path, user string) *authv3.CheckRequest {
	r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: path, Headers: []policy.Header{
		{Name: "accept", Value: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"},
		{Name: "accept-encoding", Value: "gzip, deflate, br, zstd"}, {Name: "accept-language", Value: "en-GB,en;q=0.5"},
		{Name: "cache-control", Value: "no-cache"}, {Name: "cookie", Value: "theme=dark; __client_uat=1767225500; lang=en"},
		{Name: "priority", Value: "u=0, i"}, {Name: "referer", Value: "https://app.example.com/"},
		{Name: "sec-fetch-dest", Value: "document"}, {Name: "sec-fetch-mode", Value: "navigate"}, {Name: "sec-fetch-site", Value: "same-origin"},
		{Name: "user-agent", Value: "Mozilla/5.0 (X11; Linux x86_64)"}, {Name: "x-forwarded-for", Value: "203.0.113.5"},
		{Name: "x-forwarded-proto", Value: "https"}, {Name: "x-request-id", Value: "4a1c8d6e-2f8e-4b25-9d60-0d1f3cbd9a11"},
	}}
	if user != "" {
		r.Headers = append(r.Headers, policy.Header{Name: "authorization", Value: "Bearer " + user})
	}
	return checkRequest(r)
}

// BenchmarkCheck measures whole calls over a Unix socket, against a server that
// says yes to everything. Compare within one run.
func BenchmarkCheck(b *testing.B) {
	for _, c := range benchCases(b) {
		b.Run(c.name, func(b *testing.B) {
			call := c.serve(b)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := call(); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkCheckRatio measures the throughput of each case as a share of that of
// the server that says yes to everything. Both run at once and take turns, and the
// median of the turns counts, so that what else the machine does changes little.
// An operation is a turn of each.
func BenchmarkCheckRatio(b *testing.B) {
	cases := benchCases(b)
	for _, c := range cases[1:] {
		b.Run(c.name, func(b *testing.B) {
			least, call := cases[0].serve(b), c.serve(b)
			var shares []float64
			for b.Loop() {
				shares = append(shares, turn(b, least).Seconds()/turn(b, call).Seconds())
			}
			slices.Sort(shares)
			b.ReportMetric(shares[len(shares)/2], "of-always-ok")
		})
	}
}

// turn is the time of many calls, as many at once as BenchmarkCheck makes.
func turn(b *testing.B, call func() error) time.Duration {
	const calls = 200
	began := time.Now()
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for range calls / runtime.GOMAXPROCS(0) {
				if err := call(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}

// benchCase is a server and what it is asked.
type benchCase struct {
	name     string
	register func(*grpc.Server)
	check    *authv3.CheckRequest
}

// benchCases are the server that says yes to everything, and then ours.
func benchCases(b *testing.B) []benchCase {
	b.Helper()
	p := newPolicy(b, policy.Config{Rules: []policy.Rule{
		{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public},
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}},
	}}, bearers{"member": signedIn("user_1")})
	ours := func(g *grpc.Server) { g.RegisterService(&service, newServer(b, p, Options{})) }
	return []benchCase{
		{"always-ok", func(g *grpc.Server) { authv3.RegisterAuthorizationServer(g, alwaysOK{}) }, benchCheck("/dashboard", "member")},
		{"cached", ours, benchCheck("/dashboard", "member")},
		{"public", ours, benchCheck("/", "")},
		{"denied", ours, benchCheck("/admin", "member")},
	}
}

// serve runs the server until the benchmark ends and returns a call to it.
func (c *benchCase) serve(b *testing.B) func() error {
	b.Helper()
	g, h := newGRPC(ServeOptions{Local: true})
	c.register(g)
	Ready(h, true)
	address := "unix:" + filepath.Join(b.TempDir(), "authz.sock")
	listener, err := Listen(b.Context(), address)
	if err != nil {
		b.Fatal(err)
	}
	conn := benchConn(b, g, listener, address)
	encoded, err := proto.Marshal(c.check)
	if err != nil {
		b.Fatal(err)
	}
	return func() error {
		return conn.Invoke(context.Background(), authv3.Authorization_Check_FullMethodName, encoded, nil, grpc.ForceCodecV2(rawCodec{}))
	}
}

// benchConn serves until the benchmark ends, and connects.
func benchConn(b *testing.B, g *grpc.Server, listener net.Listener, address string) *grpc.ClientConn {
	b.Helper()
	done := make(chan error, 1)
	go func() { done <- g.Serve(listener) }()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		g.Stop()
		<-done
	})
	return conn
}

// rawCodec sends messages that are encoded already and leaves answers as they
// are: what a client spends on them is Envoy's, and not the server's.
type rawCodec struct{}

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }
func (rawCodec) Name() string                         { return "proto" }

// BenchmarkMessages measures what reading a check and writing its answer by hand
// gains over the generated types. Compare within one run.
func BenchmarkMessages(b *testing.B) {
	data, err := proto.Marshal(benchCheck("/dashboard", "member"))
	if err != nil {
		b.Fatal(err)
	}
	p := newPolicy(b, policy.Config{}, bearers{"member": signedIn("user_1")})
	request, _, err := decode(b, data).policyRequest()
	if err != nil {
		b.Fatal(err)
	}
	d := p.Decide(b.Context(), request)
	response := ok(&d)
	for name, run := range map[string]func(){
		"read/by-hand":    func() { _, _, _ = decode(b, data).policyRequest() },
		"read/generated":  func() { oracle(data) },
		"write/by-hand":   func() { response.encode(1) },
		"write/generated": func() { _, _ = proto.Marshal(oracleResponse(response, 1)) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

// BenchmarkDeadline measures what a deadline costs that nobody waits for, beside
// that of the standard library.
func BenchmarkDeadline(b *testing.B) {
	b.Run("due", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				d := &due{Context: b.Context(), at: time.Now().Add(time.Minute)}
				_ = d.Err()
				d.end()
			}
		})
	})
	b.Run("context", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
				_ = ctx.Err()
				cancel()
			}
		})
	})
}
