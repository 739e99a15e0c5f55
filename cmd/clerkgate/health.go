package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxHealthAnswer is how much of an answer is shown.
const maxHealthAnswer = 4 << 10

func healthCommand() *cobra.Command {
	var address string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a running server whether it is ready",
		Long: `health asks /readyz of a server's admin address, and exits with 1 where the server
is not ready or does not answer. It is the health check of images that hold nothing
but the program.`,
		Example: `  clerkgate health
  clerkgate health --admin 127.0.0.1:9090 --timeout 2s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			answer, err := askReady(ctx, address)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), answer)
			return nil
		},
	}
	cmd.Flags().StringVar(&address, "admin", defaultAdmin, "the admin address of the server, as serve takes it")
	cmd.Flags().DurationVar(&timeout, "timeout", 2*time.Second, "how long to wait for the answer")
	return cmd
}

// askReady returns what /readyz says. A server that is not ready is an error.
func askReady(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", fmt.Errorf("--admin %q: write host:port", address)
	}
	if host == "" { // where serve listens on all addresses
		host = "localhost"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return "", fmt.Errorf("--admin %q: write host:port", address)
	}
	// Of its own, without the environment's proxies: the server is near.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: noRedirects}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxHealthAnswer))
	if err != nil {
		return "", err
	}
	answer := strings.TrimSpace(string(body))
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status + ": " + answer)
	}
	return answer, nil
}

func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
