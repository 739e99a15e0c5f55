package main

import (
	"context"
	"os"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/service"
)

// startServer starts what clerkgate serve runs with --grpc, --forward-auth and --http.
func (s *stack) startServer() error {
	gate, err := service.Open(os.Getenv("DEMO_POLICY"), service.Options{SessionPage: true})
	if err != nil {
		return err
	}
	s.onClose(gate.Close)
	checks, err := forwardauth.New(gate, forwardauth.Options{Trusts: gate.Trusts})
	if err != nil {
		return err
	}
	if err := s.serve(s.ports.ForwardAuth, checks); err != nil {
		return err
	}
	if err := s.serve(s.ports.Pages, gate); err != nil {
		return err
	}
	if err := s.serveAuthz(gate); err != nil {
		return err
	}
	return await("keys", nil, gate.Ready)
}

func (s *stack) serveAuthz(gate *service.Service) error {
	authz, err := extauthz.New(gate, extauthz.Options{})
	if err != nil {
		return err
	}
	server, health := extauthz.NewGRPC(authz, extauthz.ServeOptions{})
	extauthz.Ready(health, true)
	listener, err := extauthz.Listen(context.Background(), address(s.ports.Authz))
	if err != nil {
		return err
	}
	go server.Serve(listener) //nolint:errcheck // it ends with Stop
	s.onClose(server.Stop)
	return nil
}
