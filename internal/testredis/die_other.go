//go:build !linux

package testredis

import "syscall"

// dieWithParent asks for nothing: only Linux can end a server with a test that
// is killed.
func dieWithParent() *syscall.SysProcAttr { return nil }
