package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/service"
)

// redisTimeout is how long an operator waits for Redis, for each limit.
const redisTimeout = 5 * time.Second

// limitsOptions are the flags of the commands about limits.
type limitsOptions struct {
	config string
	key    policy.LimitQuery
	json   bool
}

func limitsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "limits",
		Short: "Show and reset what is counted against limits",
		Long: `limits shows how a key stands with the limits of a policy document, and resets
it. It asks the Redis of the document, where all instances count.`,
		Example: `  clerkgate limits show --key user_123
  clerkgate limits reset --limit per-ip --key 203.0.113.7`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(showCommand(), resetCommand())
	return cmd
}

func showCommand() *cobra.Command {
	var o limitsOptions
	cmd := &cobra.Command{
		Use:   "show --key <part>...",
		Short: "Show what the next request of a key would be told",
		Long: `show tells, without counting, whether the next request of a key would pass,
what is left of the quota, when it is whole again, and how long to wait. Each
quota that a plan or a role has is counted by itself, and shown by itself.
What instances hold in slices of leased limits counts as used.` + aboutKeys,
		Example: `  clerkgate limits show --config clerkgate.yaml --limit per-user --key user_123
  clerkgate limits show --key user_123                         # every limit with a key of one part
  clerkgate limits show --limit per-team --key org_1 --key 203.0.113.7   # key: [org, ip]
  clerkgate limits show --limit per-user --key "" --address 203.0.113.7  # who was not signed in
  clerkgate limits show --limit per-user --key user_123 --plan pro --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.key.Every = o.key.Plan == "" && o.key.Role == ""
			return o.ask(func(limits *service.Limits) error {
				standings, err := limits.Show(cmd.Context(), o.key)
				if err != nil {
					return err
				}
				shown := make([]standing, 0, len(standings))
				for _, s := range standings {
					shown = append(shown, newStanding(&s))
				}
				if o.json {
					return writeJSON(cmd.OutOrStdout(), map[string]any{"limits": shown})
				}
				return writeStandings(cmd.OutOrStdout(), shown)
			})
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.key.Plan, "plan", "", "the plan whose quota is shown, as the limit names it")
	f.StringVar(&o.key.Role, "role", "", "the role whose quota is shown, as the limit names it")
	f.StringVar(&o.key.Method, "method", "GET", "the method whose cost counts")
	return cmd
}

func resetCommand() *cobra.Command {
	var o limitsOptions
	cmd := &cobra.Command{
		Use:   "reset --key <part>...",
		Short: "Let a key back in",
		Long: `reset forgets what was counted against a key, against all quotas. All instances let it in again
within five seconds. Slices of leased limits that they hold are spent all the same.` + aboutKeys,
		Example: `  clerkgate limits reset --config clerkgate.yaml --limit per-user --key user_123
  clerkgate limits reset --limit per-ip --key 2001:db8::7   # its whole /64, as limits count it`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.key.Every = true
			return o.ask(func(limits *service.Limits) error {
				names, err := limits.Reset(cmd.Context(), o.key)
				if err != nil {
					return err
				}
				if o.json {
					return writeJSON(cmd.OutOrStdout(), map[string]any{"reset": names})
				}
				for _, name := range names {
					fmt.Fprintf(cmd.OutOrStdout(), "%s: reset\n", name)
				}
				return nil
			})
		},
	}
	o.flags(cmd)
	return cmd
}

const aboutKeys = `

Write the key as the limit has it, one --key for each part and in that order: the
id of a user, a session or an organization, an address, the name of a rule, the
value of a header, a claim or a path parameter, and of a token its SHA-256 in
hexadecimal digits. An empty part is one that the request lacked: then its
--address was counted instead. An address that was not known is "?".`

// flags adds those that the commands share.
func (o *limitsOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.config, "config", defaultConfig, "the policy document")
	f.StringVar(&o.key.Limit, "limit", "", "the limit; empty: all that have a key of so many parts")
	f.StringArrayVar(&o.key.Parts, "key", nil, "a part of the key; again for each further part")
	f.StringVar(&o.key.Address, "address", "", "the address that was counted for an empty part")
	f.BoolVar(&o.json, "json", false, "write JSON")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // it is right above
	}
}

// ask does something with the limits of the document.
func (o *limitsOptions) ask(do func(*service.Limits) error) error {
	limits, err := service.OpenLimits(o.config, redisTimeout)
	if err != nil {
		return err
	}
	defer limits.Close()
	if err = do(limits); errors.Is(err, service.ErrNoRedis) {
		return fmt.Errorf("%s names no redis: each process counts in its own memory, which no command can reach. "+
			"To begin anew, restart it; a reload keeps the counts", o.config)
	}
	return err
}
