package packagetest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// files are all that the packages hold, with their modes; those of configuration are
// not replaced by an upgrade.
var files = map[string]struct {
	mode   string
	config bool
}{
	"/usr/bin/clerkgate":                          {"-rwxr-xr-x", false},
	"/usr/lib/systemd/system/clerkgate.service":   {"-rw-r--r--", false},
	"/usr/lib/sysusers.d/clerkgate.conf":          {"-rw-r--r--", false},
	"/etc/clerkgate/clerkgate.yaml":               {"-rw-r--r--", true},
	"/etc/clerkgate/clerkgate.env":                {"-rw-------", true},
	"/usr/share/doc/clerkgate/envoy.yaml.example": {"-rw-r--r--", false},
	"/usr/share/doc/clerkgate/README.md":          {"-rw-r--r--", false},
	"/usr/share/doc/clerkgate/copyright":          {"-rw-r--r--", false},
}

// Both packages hold the same, all of it root's.
func TestThePackagesHoldTheService(t *testing.T) {
	t.Parallel()
	deb, rpm := packages(t)
	debTool := testprocess.Binary(t, "CLERKGATE_DPKG_DEB", "dpkg-deb", "dpkg-deb")
	rpmTool := testprocess.Binary(t, "CLERKGATE_RPM", "rpm", "rpm")
	found := map[string]string{}
	for line := range strings.Lines(run(t, exec.CommandContext(t.Context(), debTool, "--contents", deb))) {
		fields := strings.Fields(line) // mode owner size day time ./path
		if path := strings.TrimPrefix(fields[5], "."); !strings.HasSuffix(path, "/") {
			found[path] = fields[0] + " " + fields[1]
		}
	}
	conffiles := run(t, exec.CommandContext(t.Context(), debTool, "--info", deb, "conffiles"))
	check(t, "deb", found, func(path string) bool { return strings.Contains(conffiles, path+"\n") })

	found, flags := map[string]string{}, map[string]string{}
	for line := range strings.Lines(run(t, exec.CommandContext(t.Context(), rpmTool, "--query", "--package", "--queryformat",
		"[%{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags}\n]", rpm))) {
		fields := strings.Fields(line)
		if len(fields) < 3 || strings.HasPrefix(fields[0], "d") || strings.HasPrefix(line, "warning:") {
			continue
		}
		found[fields[2]] = fields[0] + " " + fields[1]
		flags[fields[2]] = strings.Join(fields[3:], "")
	}
	check(t, "rpm", found, func(path string) bool { return flags[path] == "cn" })
}

func check(t *testing.T, kind string, found map[string]string, keeps func(path string) bool) {
	t.Helper()
	for path, want := range files {
		if found[path] != want.mode+" root/root" || keeps(path) != want.config {
			t.Errorf("%s: %s is %q, kept: %t", kind, path, found[path], keeps(path))
		}
		delete(found, path)
	}
	if len(found) > 0 {
		t.Errorf("%s holds also %v", kind, found)
	}
}

// maxExposure is ten times what systemd calls the exposure of a service, of at most 10.
const maxExposure = 15

// systemd finds nothing wrong with the unit, and little that it leaves open.
func TestTheUnitIsHardened(t *testing.T) {
	t.Parallel()
	analyze := testprocess.Binary(t, "CLERKGATE_SYSTEMD_ANALYZE", "systemd-analyze", "systemd-analyze")
	unit := filepath.Join(top, "deploy/systemd/clerkgate.service")
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", fmt.Sprintf("--threshold=%d", maxExposure), unit).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Overall exposure level") {
		t.Errorf("%v\n%s", err, out)
	}
	open, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", "--threshold=5", unit).CombinedOutput()
	if err == nil {
		t.Errorf("the threshold is none\n%s", open)
	}
}

// Releases are made for these.
func TestReleasesAreForThreeSystems(t *testing.T) {
	t.Parallel()
	b := readRelease(t).Builds[0]
	if fmt.Sprint(b.GOOS, b.GOARCH, b.Env, b.Flags) != "[linux darwin windows] [amd64 arm64] [CGO_ENABLED=0] [-trimpath]" {
		t.Errorf("%+v", b)
	}
}
