package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

func validateCommand() *cobra.Command {
	var strict, notes, http bool
	var config string
	cmd := &cobra.Command{
		Use:   "validate [<file>...]",
		Short: "Check policy documents",
		Long: `validate reads policy documents and reports everything that is wrong with file,
line, column and a suggestion, and what is allowed but probably not meant. Without
a file it reads clerkgate.yaml, as serve does; - is the standard input.
The word in brackets is a warning's ID; ignore_warnings in the document silences it.

It finds all that serve would refuse of a document at its start and at a reload, and
asks nobody for it: not Clerk, not Redis. It exits with 1 where a document is wrong.`,
		Example: `  clerkgate validate clerkgate.yaml
  clerkgate validate --http clerkgate.yaml     # for serve --http
  clerkgate validate --strict clerkgate.yaml   # warnings count as errors
  clerkgate validate --notes clerkgate.yaml    # and what is merely good to know`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 || cmd.Flags().Changed("config") {
				files = append(files, config)
			}
			bad := 0
			for _, file := range files {
				if !validate(cmd, file, http, strict, notes) {
					bad++
				}
			}
			if bad > 0 {
				return errors.New(plural(bad, "document is", "documents are") + " not valid")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", defaultConfig, "the policy document, as serve takes it")
	cmd.Flags().BoolVar(&http, "http", false, "check what serve --http needs as well")
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	cmd.Flags().BoolVar(&notes, "notes", false, "print notes as well, which never count")
	return cmd
}

// validate checks one document and reports whether it is good.
func validate(cmd *cobra.Command, file string, http, strict, notes bool) bool {
	out := cmd.OutOrStdout()
	further := func(config *setup.Config) ([]policy.Warning, error) { return checkHTTP(config, http) }
	config, findings, err := load(cmd, file, further)
	if err != nil {
		fmt.Fprintln(out, err)
		if strings.HasSuffix(strings.ToLower(filepath.Base(file)), "caddyfile") {
			fmt.Fprintln(out, "A Caddyfile is checked by caddy validate.")
		}
		return false
	}
	warnings := 0
	for _, finding := range findings {
		if !finding.Note {
			warnings++
		}
		if !finding.Note || notes {
			fmt.Fprintln(out, finding)
		}
	}
	if strict && warnings > 0 {
		return false
	}
	fmt.Fprintf(out, "%s: valid, %s, %s\n", file, plural(len(config.Rules), "rule", "rules"), plural(warnings, "warning", "warnings"))
	return true
}

// load reads a document, or the standard input.
func load(cmd *cobra.Command, file string, further setup.Further) (*setup.Config, []setup.Finding, error) {
	if file != "-" {
		return setup.LoadFile(file, further)
	}
	return setup.LoadFrom("stdin", cmd.InOrStdin(), further)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
