package redisclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// The forms that clients and providers write. What is taken says where it leads; what
// is not says what to write, and never shows a password.
func TestFormsOfURLs(t *testing.T) {
	t.Parallel()
	const canary = "hunter2"
	for url, want := range map[string]string{
		"redis://localhost":                               "localhost:6379",
		"redis://localhost:6380/2":                        "localhost:6380 2",
		"redis://localhost/0":                             "localhost:6379",
		"redis://[::1]:6379":                              "[::1]:6379",
		"redis://:hunter2@h:1/3":                          "h:1 3 :hunter2",
		"redis://u:hunter2@h:1":                           "h:1 0 u:hunter2",
		"redis://default:hunter2%2F%23%3F%25@h:1":         "h:1 0 default:hunter2/#?%",
		"redis://:hunter2@x@h:1":                          "h:1 0 :hunter2@x",
		"rediss://default:hunter2@eu1-x.upstash.io:6379":  "eu1-x.upstash.io:6379 0 default:hunter2 tls",
		"rediss://:hunter2@ec2-1.compute.amazonaws.com:2": "ec2-1.compute.amazonaws.com:2 0 :hunter2 tls",
		"REDIS://h":                                  "h:6379",
		"valkey://h:1":                               "h:1",
		"valkeys://h:1":                              "h:1 0 : tls",
		"redis+tls://h:1":                            "h:1 0 : tls",
		"tcp://h:1":                                  "h:1",
		"redis://h:1?db=4":                           "h:1 4",
		"redis://h:1/4?db=4&protocol=3":              "h:1 4",
		"rediss://h:1?ssl_cert_reqs=required":        "h:1 0 : tls",
		"unix:///run/redis.sock":                     "/run/redis.sock",
		"unix:/run/redis.sock":                       "/run/redis.sock",
		"unix://u:hunter2@/run/redis.sock?db=5":      "/run/redis.sock 5 u:hunter2",
		"redis+unix:///run/redis.sock":               "/run/redis.sock",
		"h:6379":                                     "error: redis://",
		"h":                                          "error: redis://",
		"/run/redis.sock":                            "error: unix:///",
		"unix://run/redis.sock":                      "error: unix:///path",
		"https://u:hunter2@x.upstash.io":             "error: rediss://",
		"redis-sentinel://:hunter2@a:1,b:2/mymaster": "error: sentinel: {master",
		"redis+sentinel://:hunter2@a:1/mymaster":     "error: sentinel: {master",
		"redis-cluster://a:1,b:2":                    "error: cluster: true",
		"redis://:hunter2@a:1,b:2":                   "error: addresses:",
		"redis://a:1,b:2":                            "error: addresses:",
		"redis:localhost":                            "error: two slashes",
		"redis://u:hunter2/x@h:1":                    "error: %2F",
		"redis://u:hunter2#x@h:1":                    "error: %23",
		"redis://u:hunter2?x@h:1":                    "error: %3F",
		"redis://u:hunter2%x@h:1":                    "error: %25",
		"redis://u:12/hunter2@h:1":                   "error: password:",
		"redis://:12#hunter2@h:1":                    "error: password:",
		"redis://u:12?hunter2@h:1":                   "error: password:",
		"redis://h:1/hunter2":                        "error: password:",
		"redis://h:1?hunter2":                        "error: %3F",
		"redis://h:1?password=hunter2":               "error: password: beside url",
		"redis://h:99999":                            "error: port",
		"redis://h:1/1?db=2":                         "error: twice",
		"redis://h:1?db=x":                           "error: /0",
		"rediss://h:1?ssl_cert_reqs=none":            "error: ca_file",
		"rediss://h:1?skip_verify=true":              "error: ca_file",
		"redis://h:1?sentinelMasterId=m":             "error: sentinel: {master",
		"redis://h:1?pool_size=3":                    "error: pool_size",
		"redis://:hunter2@":                          "error: lacks a host",
		" redis://h":                                 "error: redis://",
	} {
		config := Config{URL: url}
		r, err := config.resolve()
		if said, is := strings.CutPrefix(want, "error: "); is {
			if err == nil || !strings.Contains(err.Error(), said) || strings.Contains(err.Error(), canary) || !strings.HasPrefix(err.Error(), "redis.url: ") {
				t.Errorf("%s: %v, want %s", url, err, said)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		got := []string{r.addresses[0]}
		if r.database != 0 || r.username+r.password != "" || r.tls != nil {
			got = append(got, string(rune('0'+r.database)))
		}
		if r.username+r.password != "" || r.tls != nil {
			got = append(got, r.username+":"+r.password)
		}
		if r.tls != nil {
			got = append(got, "tls")
		}
		if said := strings.Join(got, " "); said != want {
			t.Errorf("%s: %s, want %s", url, said, want)
		}
	}
}

func TestAddressesShowNoPassword(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"redis://:hunter2@h:1": "write url", "u:hunter2@h:1": "with username and password", "unix:/run/redis.sock": "unix:///",
		"/run/redis.sock": "unix:///", "h": "not host:port", "h:x": "not host:port", "::1": "not host:port", "[::1]:1": "", "h:1": "",
	} {
		config := Config{Addresses: policy.StringList{address}}
		err := config.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")) {
			t.Errorf("%s: %v, want %s", address, err, want)
		}
	}
}

func TestAUserWithoutAPasswordIsWarnedAbout(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]int{"redis://hunter2@h": 1, "redis://:hunter2@h": 0, "redis://u:hunter2@h": 0, "redis://h": 0} {
		config := Config{URL: url}
		if got := config.Warnings(); len(got) != want || strings.Contains(fmt.Sprint(got), "hunter2") {
			t.Errorf("%s: %q", url, got)
		}
	}
	config := Config{URL: "redis://u@h", Password: "hunter2"}
	if got := config.Warnings(); len(got) > 0 {
		t.Errorf("a password beside the URL: %q", got)
	}
}

// What a server announces is refused before anybody makes room for it, in whatever
// pieces it comes.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{
		"+OK\r\n": true, "$5\r\nhello\r\n": true, "$-1\r\n*-1\r\n_\r\n": true, "*2\r\n$1\r\na\r\n*1\r\n:-7\r\n": true,
		"%1\r\n+a\r\n+b\r\n": true, "$13\r\n*1000000000\r\n\r\n": true, "-ERR *1000000000\r\n": true, "*0\r\n": true,
		"|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n": true, strings.Repeat("*1\r\n:1\r\n", 300_000): true,
		"*1000000000\r\n": false, "*999999999999999999999999\r\n": false, "%200000000\r\n": false, "~300000\r\n": false,
		"$100000000\r\n": false, "$18446744073709551617\r\n": false, ">1000000000\r\n": false, strings.Repeat("*1\r\n", 17): false,
		"+" + strings.Repeat("x", maxAnswerLine+1): false, "*3\r\n*200000\r\n" + strings.Repeat(":1\r\n", 200000) + "*200000\r\n": false,
	} {
		for _, size := range []int{1, 7, 1 << 16} {
			conn := &boundedConn{Conn: &pieces{rest: answer, size: size}}
			n, err := io.Copy(io.Discard, struct{ io.Reader }{conn})
			if ok && (err != nil || n != int64(len(answer))) || !ok && !errors.Is(err, errAnswerTooLarge) {
				t.Errorf("%.30q in pieces of %d: %d bytes, %v", answer, size, n, err)
			}
			if ok && (len(conn.open) > 0 || conn.bytes > 0 || conn.skip > 0) {
				t.Errorf("%.30q in pieces of %d: the answer has no end", answer, size)
			}
		}
	}
}

// pieces is a connection that delivers a text bit by bit.
type pieces struct {
	net.Conn
	rest string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
