// Command demo runs everything on one machine: a local Clerk instance, an app
// that shows what it received, Caddy with the policy in front of it, the server
// for other proxies, and Envoy, nginx and HAProxy where there are. It needs Go and
// nothing else.
//
//	go run ./examples/demo          # until Ctrl-C
//	go run ./examples/demo -check   # make the requests of the README, and exit
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	check := flag.Bool("check", false, "start on free ports, make the requests of the README, and exit with 0 or 1")
	free := flag.Bool("free-ports", false, "use free ports in place of 8080 to 8083, 9000, 9001, 9080, 5500 and 3000")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, *check, *free || *check); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

// run starts the demo and shows it, or checks it.
func run(ctx context.Context, out io.Writer, check, free bool) error {
	s, err := start(free)
	if err != nil {
		return err
	}
	defer s.close()
	if check {
		return s.check(ctx, out)
	}
	s.show(out)
	<-ctx.Done()
	fmt.Fprintln(out, "\nstopping")
	return nil
}
