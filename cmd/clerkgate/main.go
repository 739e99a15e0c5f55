// Command clerkgate is the ext_authz server for Envoy, and the tools around the
// policy document.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/internal/redisclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	redisclient.Quiet()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "clerkgate:", err)
		stop()
		os.Exit(1)
	}
}

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "clerkgate",
		Short: "Decide at the edge what may reach an app that uses Clerk",
		Long: `clerkgate decides which requests may reach an app that uses Clerk, and as whom.

It serves Envoy's ext_authz protocol and checks the policy document. Caddy runs
the same policy as the handler clerk_auth.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(serveCommand(), validateCommand(), limitsCommand(), versionCommand())
	return root
}
