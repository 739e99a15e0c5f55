package extauthz

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
)

// socketMode lets the owner and the group connect: the group is shared with
// Envoy.
const socketMode = 0o660

// unixPrefix marks the address of a Unix socket.
const unixPrefix = "unix:"

// IsLocal reports whether address is a Unix socket, "unix:/run/authz.sock".
func IsLocal(address string) bool { return strings.HasPrefix(address, unixPrefix) }

// Listen listens on address: "host:port", or "unix:" and a path. A socket file on which
// no process listens is replaced; one in use, or another file at the path, is an error.
// The mode of the socket is 0660. Closing the listener removes it.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	path, local := strings.CutPrefix(address, unixPrefix)
	if !local {
		return listen(ctx, "tcp", address)
	}
	listener, err := listen(ctx, "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && isStale(ctx, path) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("removing a stale socket: %w", err)
		}
		listener, err = listen(ctx, "unix", path)
	}
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(path, "@") { // an abstract socket has no file
		return listener, nil
	}
	if err := os.Chmod(path, socketMode); err != nil {
		listener.Close()
		return nil, fmt.Errorf("sharing the socket with its group: %w", err)
	}
	return listener, nil
}

func listen(ctx context.Context, network, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("listening: %w", err)
	}
	return listener, nil
}

// isStale reports whether path is a socket that refuses connections, because its
// process has ended.
func isStale(ctx context.Context, path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
