package imagetest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// insideVariable names the folder of a test that runs in namespaces of its own.
const insideVariable = "CLERKGATE_IMAGETEST_INSIDE"

// isolated runs a test again in a network and with mounts of its own, and reports
// whether that is where it is. What prepare returns is handed over.
func isolated[T any](t *testing.T, prepare func() T) (handed T, inside bool) {
	t.Helper()
	if folder := os.Getenv(insideVariable); folder != "" {
		text, err := os.ReadFile(filepath.Join(folder, "handed.json"))
		if err == nil {
			err = json.Unmarshal(text, &handed)
		}
		if err == nil {
			err = loopbackUp()
		}
		if err != nil {
			t.Fatal(err)
		}
		return handed, true
	}
	command := []string{"unshare", "--mount", "--net", "--propagation", "private", "--"}
	if os.Geteuid() != 0 {
		command = append([]string{"sudo", "-n", "-E", "env", "PATH=" + os.Getenv("PATH")}, command...)
	}
	if out, err := exec.CommandContext(t.Context(), command[0], append(command[1:], "true")...).CombinedOutput(); err != nil {
		testprocess.Missing(t, fmt.Sprintf("namespaces are not to be had: %v: %s", err, out))
	}
	folder := t.TempDir()
	text, err := json.Marshal(prepare())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "handed.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], self, "-test.v", "-test.run=^"+t.Name()+"$")...)
	cmd.Env = append(os.Environ(), insideVariable+"="+folder)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("inside: %v\n%s", err, out)
	} else {
		t.Logf("inside:\n%s", out)
	}
	return handed, false
}

// loopbackUp turns on the loopback interface of a new network.
func loopbackUp() error {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(socket)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return fmt.Errorf("turning on the loopback interface: %w", errno)
	}
	return nil
}

// container is an image made ready to run.
type container struct {
	image *image
	root  string
	env   []string
}

// contain mounts an image so that nobody can write to it. Files, by their paths,
// are what a runtime mounts. Folders that the user owns are empty and writable.
func (i *image) contain(t *testing.T, env map[string]string, files map[string]string) *container {
	t.Helper()
	c := &container{image: i, root: filepath.Join(t.TempDir(), "root")}
	if err := os.CopyFS(c.root, os.DirFS(i.Root)); err != nil {
		t.Fatal(err)
	}
	for path, content := range files {
		to := inside(c.root, path)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mount(t, c.root, c.root, "", syscall.MS_BIND, "")
	mount(t, "", c.root, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV, "")
	for _, path := range i.Owned {
		mount(t, "tmpfs", inside(c.root, path), "tmpfs", 0, "mode=0755,uid=65532,gid=65532,size=16m")
	}
	for _, set := range []map[string]string{i.Env, env} {
		for name, value := range set {
			c.env = append(c.env, name+"="+value)
		}
	}
	return c
}

func mount(t *testing.T, source, target, kind string, flags uintptr, options string) {
	t.Helper()
	if err := syscall.Mount(source, target, kind, flags, options); err != nil {
		t.Fatalf("mounting %s: %v", target, err)
	}
	if flags&syscall.MS_REMOUNT == 0 {
		t.Cleanup(func() { _ = syscall.Unmount(target, syscall.MNT_DETACH) }) // it ends with the namespace
	}
}

// command runs a program of the container as the image's user: 65532 without a
// group, a capability or a way to get one.
func (c *container) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if c.image.User != "65532:65532" {
		t.Fatalf("the user is %q", c.image.User)
	}
	return &exec.Cmd{
		Path: args[0], Args: args, Dir: "/", Env: c.env,
		SysProcAttr: &syscall.SysProcAttr{Chroot: c.root, Credential: &syscall.Credential{Uid: 65532, Gid: 65532}},
	}
}

// run starts the image as it is meant to be started, or with other arguments.
func (c *container) run(t *testing.T, args ...string) (*testprocess.Process, *exec.Cmd) {
	t.Helper()
	if len(args) == 0 {
		args = c.image.Cmd
	}
	cmd := c.command(t, append(append([]string{}, c.image.Entrypoint...), args...)...)
	return testprocess.Start(t, c.image.Entrypoint[0], cmd), cmd
}

// output runs a program to its end.
func (c *container) output(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := c.command(t, args...).CombinedOutput()
	return string(out), err
}

// awaitHealth asks the image's own health check until it is content.
func (c *container) awaitHealth(t *testing.T, p *testprocess.Process) {
	t.Helper()
	err := testprocess.Poll(func() (final bool, err error) {
		select {
		case <-p.Exited:
			return true, fmt.Errorf("it ended: %s", p.Log)
		default:
		}
		out, err := c.output(t, c.image.Health...)
		if err != nil {
			err = fmt.Errorf("%w: %s\n%s", err, out, p.Log)
		}
		return false, err
	})
	if err != nil {
		t.Fatal(err)
	}
}
