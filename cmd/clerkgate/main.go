// Command clerkgate is the ext_authz server for Envoy, and the tools around the
// policy document.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/spf13/cobra"
)

// defaultConfig is the policy document where no other is named.
const defaultConfig = "clerkgate.yaml"

// defaultAdmin is where serve tells of its health where nothing else is said, and
// where health asks.
const defaultAdmin = "127.0.0.1:9090"

func main() {
	// What the driver logs, as text, is in the log and the metrics of the service.
	redis.SetLogger(&logging.VoidLogger{})
	if err := command().ExecuteContext(untilSignal()); err != nil {
		fmt.Fprintln(os.Stderr, "clerkgate:", err)
		os.Exit(1)
	}
}

// untilSignal is a context that the first signal to stop ends. The second ends the
// process at once, however soon it comes.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(1)
	}()
	return ctx
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
	root.Version = readBuild().String()
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddCommand(serveCommand(), validateCommand(), healthCommand(), limitsCommand(), versionCommand())
	return root
}
