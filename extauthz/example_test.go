package extauthz_test

import (
	"context"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/policy"
)

// A server that Envoy asks about each request.
func ExampleNewGRPC() {
	ctx := context.Background()
	p, err := policy.New(policy.Config{
		Rules:   []policy.Rule{{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Bypass}},
		Default: policy.Default{Access: policy.DenyAccess},
	}, policy.Deps{Now: time.Now}) // no rule asks who is asking: no authenticator
	if err != nil {
		fmt.Println(err)
		return
	}
	authz, err := extauthz.New(p, extauthz.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	server, health := extauthz.NewGRPC(authz, extauthz.ServeOptions{})
	listener, err := extauthz.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go server.Serve(listener) //nolint:errcheck // it ends with Shutdown
	extauthz.Ready(health, true)
	defer extauthz.Shutdown(ctx, server, health, 0)

	for _, target := range []string{"/", "/admin"} {
		answer, err := extauthz.Ask(ctx, listener.Addr().String(), &policy.Request{
			Method: "GET", Version: 2, Scheme: "https", Host: "app.example.com", Target: target,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(target, answer.Allowed, answer.Status)
	}
	// Output:
	// / true 200
	// /admin false 403
}
