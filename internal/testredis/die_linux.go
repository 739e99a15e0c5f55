package testredis

import "syscall"

// dieWithParent ends a server with the test, even with one that is killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
