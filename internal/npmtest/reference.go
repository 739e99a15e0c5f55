package npmtest

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Decide asks the library what it makes of requests, each the input of a vector
// as internal/conformance has them, and returns its decisions in the same order.
// Without Node or the library the test is skipped, or fails where CLERKGATE_FULL
// is 1.
func Decide(tb testing.TB, inputs [][]byte) [][]byte {
	tb.Helper()
	cmd := node(tb, "reference.mjs")
	cmd.Stdin = bytes.NewReader(append(bytes.Join(inputs, []byte("\n")), '\n'))
	var log bytes.Buffer
	cmd.Stderr = &log
	output, err := cmd.Output()
	if err != nil {
		tb.Fatalf("%v\n%s", err, &log)
	}
	var decisions [][]byte
	for lines := bufio.NewReader(bytes.NewReader(output)); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break
		}
		decisions = append(decisions, line)
	}
	if len(decisions) != len(inputs) {
		tb.Fatalf("%d decisions for %d requests\n%s", len(decisions), len(inputs), &log)
	}
	return decisions
}

// node returns the command that runs a script of this directory.
func node(tb testing.TB, arguments ...string) *exec.Cmd {
	tb.Helper()
	_, file, _, _ := runtime.Caller(0)
	dir := filepath.Dir(file)
	_, err := os.Stat(filepath.Join(dir, "node_modules", "@clerk", "backend"))
	if _, node := exec.LookPath("node"); err != nil || node != nil {
		testprocess.Missing(tb, `Clerk's library is not here: it needs Node, and "npm ci" in internal/npmtest`)
	}
	cmd := exec.Command("node", arguments...)
	cmd.Dir = dir
	return cmd
}
