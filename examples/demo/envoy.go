package main

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"text/template"
	"time"
)

//go:embed envoy.yaml
var envoyTemplate string

// stopTime is how long Envoy may take to stop before it is killed.
const stopTime = 5 * time.Second

// startEnvoy starts an Envoy where CLERKGATE_ENVOY or the PATH has one.
func (s *stack) startEnvoy() error {
	binary, err := envoyBinary()
	if binary == "" || err != nil {
		return err
	}
	var config bytes.Buffer
	if err := template.Must(template.New("envoy").Parse(envoyTemplate)).Execute(&config, s.ports); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--config-yaml", config.String(), "--disable-hot-restart", "--concurrency", "1", "--log-level", "error")
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stopTime
	if err := cmd.Start(); err != nil {
		stop()
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() //nolint:errcheck // how it ended is in its own words on stderr
	}()
	s.onClose(func() {
		stop()
		<-ended
	})
	s.envoy = true
	return await("Envoy", ended, s.envoyListens)
}

// envoyBinary returns "" where there is none.
func envoyBinary() (string, error) {
	if binary := os.Getenv("CLERKGATE_ENVOY"); binary != "" {
		return binary, nil
	}
	binary, err := exec.LookPath("envoy")
	if errors.Is(err, exec.ErrNotFound) {
		return "", nil
	}
	return binary, err
}

func (s *stack) envoyListens() bool {
	conn, err := net.Dial("tcp", address(s.ports.Envoy))
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
