package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// stopTime is how long a program may take to stop before it is killed.
const stopTime = 5 * time.Second

// runProgram runs a program until the demo is closed, or it ends.
func (s *stack) runProgram(binary string, arguments []string) (ended <-chan struct{}, err error) {
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, arguments...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		stop()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait() //nolint:errcheck // how it ended is in its own words on stderr
	}()
	s.onClose(func() {
		stop()
		<-done
	})
	return done, nil
}

func listens(port int) bool {
	conn, err := net.Dial("tcp", address(port))
	if err == nil {
		conn.Close()
	}
	return err == nil
}

// await looks for a piece to be there until it is, or has ended.
func await(name string, ended <-chan struct{}, there func() bool) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	limit := time.After(patience)
	for !there() {
		select {
		case <-look.C:
		case <-ended:
			return fmt.Errorf("%s has ended", name)
		case <-limit:
			return fmt.Errorf("no %s after %s", name, patience)
		}
	}
	return nil
}
