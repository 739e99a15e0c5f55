package packagetest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// machine is an overlay of this system, booted by systemd.
type machine struct {
	t   *testing.T
	pid string // of its first process, as it is outside
}

// debVariable names the package where the test was begun by another user.
const debVariable = "CLERKGATE_PACKAGETEST_DEB"

// asRoot runs a test again by sudo, if that needs no password.
func asRoot(t *testing.T, variable string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "sudo", "-n", "true").CombinedOutput(); err != nil {
		testprocess.Missing(t, fmt.Sprintf("only root can boot a system: %v: %s", err, out))
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, exec.CommandContext(t.Context(), "sudo", "-n", "-E", "env", "PATH="+os.Getenv("PATH"), variable, self, "-test.v", "-test.run=^"+t.Name()+"$"))
	if !strings.Contains(out, "--- PASS: "+t.Name()) {
		t.Errorf("as root:\n%s", out)
	}
}

// boot installs a package and boots. The test is skipped where it may not.
func boot(t *testing.T, deb string) *machine {
	t.Helper()
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		testprocess.Missing(t, "there is no systemd: "+err.Error())
	}
	script, err := filepath.Abs("testdata/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	cmd := exec.Command("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--uts", "--ipc", "--cgroup", "--propagation", "private", "--",
		"sh", script, t.TempDir(), deb)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // and with it all that it started
		<-ended
		if t.Failed() {
			t.Logf("the log of the boot:\n%s", &log)
		}
	})
	m := &machine{t: t}
	children := fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid)
	err = testprocess.Poll(func() (final bool, err error) {
		select {
		case <-ended:
			return true, errors.New("it ended")
		default:
		}
		pid, err := os.ReadFile(children)
		if err != nil {
			return false, err
		}
		m.pid = strings.TrimSpace(string(pid))
		if name, err := os.ReadFile("/proc/" + m.pid + "/comm"); err != nil || string(name) != "systemd\n" {
			return false, fmt.Errorf("the first process is %q: %w", name, err)
		}
		out, err := m.try("systemctl", "is-active", "basic.target")
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return false, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// try runs a program in the machine.
func (m *machine) try(args ...string) (string, error) {
	out, err := exec.CommandContext(m.t.Context(), "nsenter", append([]string{"--target", m.pid, "--all", "--root", "--"}, args...)...).CombinedOutput()
	return string(out), err
}

func (m *machine) run(args ...string) string {
	m.t.Helper()
	out, err := m.try(args...)
	if err != nil {
		journal, _ := m.try("journalctl", "--no-pager", "--unit", "clerkgate") //nolint:errcheck // for the message
		m.t.Fatalf("%v: %v\n%s%s", args, err, out, journal)
	}
	return out
}

// write writes a file of the machine.
func (m *machine) write(path, text string) {
	m.t.Helper()
	if err := os.WriteFile("/proc/"+m.pid+"/root"+path, []byte(text), 0o644); err != nil {
		m.t.Fatal(err)
	}
}

// await polls for what a program says, and for its success.
func (m *machine) await(want string, args ...string) {
	m.t.Helper()
	err := testprocess.Poll(func() (bool, error) {
		out, err := m.try(args...)
		if !strings.Contains(out, want) {
			return false, fmt.Errorf("%v says %q, not %q: %w", args, out, want, errors.Join(err, errors.New("no")))
		}
		return false, nil
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// Installed from its package, the service runs under systemd with all restrictions of
// its unit, is reloaded, keeps a policy that is valid, and goes without a trace but its
// configuration.
func TestThePackagedServiceRunsUnderSystemd(t *testing.T) {
	deb := os.Getenv(debVariable)
	if deb == "" {
		deb, _ = packages(t)
	}
	if os.Geteuid() != 0 {
		asRoot(t, debVariable+"="+deb)
		return
	}
	m := boot(t, deb)
	if state, _ := m.try("systemctl", "is-active", "clerkgate"); state != "inactive\n" { //nolint:errcheck // it fails
		t.Errorf("without keys it was started: %s", state)
	}
	m.write("/etc/clerkgate/clerkgate.env", "CLERK_PUBLISHABLE_KEY="+clerktest.OfflineKey+"\nCLERK_SECRET_KEY=sk_live_x\nCLERKGATE_OPTIONS=--grpc unix:/run/clerkgate/grpc.sock --drain 100ms\n")
	m.run("systemctl", "start", "clerkgate")
	m.await("503", "clerkgate", "health") // the keys of the packaged policy are far from here
	m.await("srw-rw---- 1 clerkgate clerkgate", "ls", "-l", "/run/clerkgate/grpc.sock")

	status := m.run("sh", "-c", "cat /proc/$(systemctl show --property MainPID --value clerkgate)/status")
	for _, line := range []string{"CapBnd:\t0000000000000000\n", "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(status, line) {
			t.Errorf("no line %q in\n%s", line, status)
		}
	}
	if strings.Contains(status, "Uid:\t0") {
		t.Errorf("it is root:\n%s", status)
	}

	m.write("/etc/clerkgate/clerkgate.yaml", clerktest.OfflineDocument(t))
	m.run("systemctl", "reload", "clerkgate")
	m.await("healthy", "sh", "-c", "clerkgate health && echo healthy")
	m.write("/etc/clerkgate/clerkgate.yaml", "nonsense: 1\n")
	if out, err := m.try("systemctl", "reload", "clerkgate"); err == nil {
		t.Errorf("a reload of nonsense: %s", out)
	}
	m.run("clerkgate", "health")
	journal := m.run("journalctl", "--no-pager", "--unit", "clerkgate")
	if !strings.Contains(journal, `unknown key "nonsense"`) {
		t.Errorf("the journal does not say why:\n%s", journal)
	}

	m.run("systemctl", "enable", "clerkgate")
	m.run("dpkg", "--remove", "clerkgate")
	if state, _ := m.try("systemctl", "is-active", "clerkgate"); state != "inactive\n" { //nolint:errcheck // it fails
		t.Errorf("after its removal it is %s", state)
	}
	if out, err := m.try("ls", "/usr/bin/clerkgate", "/etc/systemd/system/multi-user.target.wants/clerkgate.service"); err == nil || strings.Count(out, "cannot access") != 2 {
		t.Errorf("what stays: %s", out)
	}
	if got := m.run("cat", "/etc/clerkgate/clerkgate.yaml"); got != "nonsense: 1\n" {
		t.Errorf("the configuration is %s", got)
	}
}
