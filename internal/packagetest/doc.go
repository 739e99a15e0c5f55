// Package packagetest holds what is true of the packages for Debian and RPM: what is
// in them, and that the service of the one, installed on this system, runs under a real
// systemd with all its restrictions. The system is an overlay that goes with the test.
// It has tests only.
package packagetest
