package oracletest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// upstream is an application on a real server.
type upstream struct {
	name string
	// address is where it listens; empty for Caddy's own file server.
	address string
	// log is the file to which it writes a record of each request.
	log string
	// site are the lines of a Caddyfile that forward to it. Empty: reverse_proxy.
	site string
	// mounted says that it has its base path and locales taken off, and that its gates
	// know.
	mounted bool
	// onlyCaddy says that it does not speak HTTP, so that Envoy cannot ask it.
	onlyCaddy bool
}

// startUpstreams runs them all until the test ends.
func startUpstreams(t *testing.T) []*upstream {
	t.Helper()
	dir := t.TempDir()
	var all []*upstream
	var listening []func()
	add := func(name string, command func(u *upstream) *exec.Cmd) *upstream {
		u := &upstream{name: name, address: testprocess.Address(t), log: filepath.Join(dir, name+".log")}
		if err := os.WriteFile(u.log, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		cmd := command(u)
		cmd.Env = append(cmd.Environ(), "ORACLE_LOG="+u.log, "ORACLE_ADDRESS="+u.address)
		process := testprocess.Start(t, name, cmd)
		listening = append(listening, func() { process.AwaitListening(t, u.address) })
		all = append(all, u)
		return u
	}
	add("tomcat", func(u *upstream) *exec.Cmd {
		java, jar := testprocess.Binary(t, "CLERKGATE_JAVA", "Java", "java"), "/usr/share/java/tomcat10-embed-core.jar"
		if _, err := os.Stat(jar); err != nil {
			testprocess.Missing(t, "Tomcat is not here: it needs Debian's libtomcat10-embed-java")
		}
		return in("java")(java, "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", jar, "Upstream.java", filepath.Join(dir, "tomcat"))(u)
	})
	node := in("node")
	python := in("python")
	add("node", node(nodeBinary(t), "http.mjs"))
	add("express4", node(nodeBinary(t), "express.mjs", "4"))
	add("express5", node(nodeBinary(t), "express.mjs", "5"))
	next := func(built string) func(u *upstream) *exec.Cmd {
		return func(u *upstream) *exec.Cmd {
			cmd := in("next")(nodeBinary(t), nextProgram(t, built), "start", "--hostname", "127.0.0.1", "--port", port(u.address))(u)
			cmd.Env = append(cmd.Environ(), "ORACLE_NEXT="+built)
			return cmd
		}
	}
	add("next", next(".next"))
	add("next-mounted", next(".next-mounted")).mounted = true
	add("hypercorn", bound(python(pythonProgram(t, "hypercorn"), "starlette_app:app"), "--bind"))
	add("uvicorn", func(u *upstream) *exec.Cmd {
		return python(pythonProgram(t, "uvicorn"), "starlette_app:app", "--log-level", "warning", "--host", "127.0.0.1", "--port", port(u.address))(u)
	})
	add("flask", bound(python(pythonProgram(t, "gunicorn"), "flask_app:app", "--log-level", "warning", "--threads", "4"), "--bind"))
	add("django", bound(python(pythonProgram(t, "gunicorn"), "django_app:app", "--log-level", "warning", "--threads", "4"), "--bind"))
	add("sinatra", func(u *upstream) *exec.Cmd {
		puma := testprocess.Binary(t, "CLERKGATE_PUMA", "Puma with Sinatra", "puma")
		return in("ruby")(puma, "--quiet", "--environment", "production", "--threads", "1:4", "--bind", "tcp://"+u.address, "config.ru")(u)
	})
	php := add("php", func(u *upstream) *exec.Cmd { return phpFPM(t, dir, u) })
	php.site = "root * " + testdata("php") + "\n\tphp_fastcgi " + php.address
	php.onlyCaddy = true
	add("nginx", func(u *upstream) *exec.Cmd { return nginx(t, dir, u) })
	all = append(all, startGo(t, dir), caddyFiles(t, dir))
	// All start at once, the slowest first; it is waited for last.
	for _, await := range slices.Backward(listening) {
		await()
	}
	// The same PHP again, behind the rewrites that many sites have before it.
	for name, rewrite := range map[string]string{"php-try-files": "try_files {path} /index.php", "php-rewrite": "@app not path /index.php\n\trewrite @app /index.php"} {
		again := *php
		again.name, again.site = name, "root * "+testdata("php")+"\n\t"+rewrite+"\n\tphp_fastcgi "+php.address
		all = append(all, &again)
	}
	// An application behind a prefix that Caddy takes off.
	for _, u := range all {
		if u.name == "express4" || u.name == "go" {
			below := *u
			below.name, below.onlyCaddy, below.site = u.name+"-below", true, "uri strip_prefix /v1\n\treverse_proxy "+u.address
			all = append(all, &below)
		}
	}
	return all
}

// in starts programs in a folder of testdata.
func in(folder string) func(program string, arguments ...string) func(*upstream) *exec.Cmd {
	return func(program string, arguments ...string) func(*upstream) *exec.Cmd {
		return func(*upstream) *exec.Cmd {
			cmd := exec.Command(program, arguments...)
			cmd.Dir = testdata(folder)
			return cmd
		}
	}
}

// bound adds the address to listen on.
func bound(command func(*upstream) *exec.Cmd, option string) func(*upstream) *exec.Cmd {
	return func(u *upstream) *exec.Cmd {
		cmd := command(u)
		cmd.Args = append(cmd.Args, option, u.address)
		return cmd
	}
}

func nodeBinary(t *testing.T) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(testdata("node"), "node_modules", "express5")); err != nil {
		testprocess.Missing(t, `Express is not here: it needs "npm ci" in internal/oracletest/testdata/node`)
	}
	return testprocess.Binary(t, "CLERKGATE_NODE", "Node", "node")
}

// nextProgram is Next.js, with the application built into a folder.
func nextProgram(t *testing.T, built string) string {
	t.Helper()
	if _, err := os.Stat(filepath.Join(testdata("next"), built, "BUILD_ID")); err != nil {
		testprocess.Missing(t, `Next.js is not here: it needs "npm ci" and "npx next build" in internal/oracletest/testdata/next`)
	}
	return filepath.Join("node_modules", "next", "dist", "bin", "next")
}

// pythonProgram is one of the virtual environment that CLERKGATE_UPSTREAMS names.
func pythonProgram(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(testprocess.Binary(t, "CLERKGATE_UPSTREAMS", "virtual environment with "+name, ""), "bin", name)
}

func phpFPM(t *testing.T, dir string, u *upstream) *exec.Cmd {
	t.Helper()
	owner, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, dir, "php-fpm.conf", fmt.Sprintf(phpConfig, owner.Username, u.address))
	return exec.Command(testprocess.Binary(t, "CLERKGATE_PHP_FPM", "PHP-FPM", "php-fpm"), "--nodaemonize", "--allow-to-run-as-root", "--fpm-config", file)
}

const phpConfig = `
[global]
error_log = /dev/stderr
log_level = warning
[app]
user = %s
listen = %s
pm = static
pm.max_children = 4
clear_env = no
`

func nginx(t *testing.T, dir string, u *upstream) *exec.Cmd {
	t.Helper()
	root := filepath.Join(dir, "nginx")
	writeSite(t, root)
	file := write(t, dir, "nginx.conf", fmt.Sprintf(nginxConfig, dir, u.log, u.address, root))
	return exec.Command(testprocess.Binary(t, "CLERKGATE_NGINX", "nginx", "nginx"), "-c", file, "-e", "stderr")
}

const nginxConfig = `
daemon off;
user root;
worker_processes 1;
pid %[1]s/nginx.pid;
events { }
http {
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	log_format oracle escape=json '{"file":"$request_filename","status":"$status","method":"$request_method","path":"$uri","host":"$host",'
		'"protocol":"$server_protocol","headers":[["x-oracle-id","$http_x_oracle_id"],["x-user-id","$http_x_user_id"],["x-session-id","$http_x_session_id"],'
		'["x-org-id","$http_x_org_id"],["x-org-slug","$http_x_org_slug"],["x-org-role","$http_x_org_role"],["x-org-permissions","$http_x_org_permissions"],'
		'["x-auth-type","$http_x_auth_type"]]}';
	access_log %[2]s oracle;
	server {
		listen %[3]s;
		root %[4]s;
		index index.html;
		autoindex on;
		location / {
			try_files $uri $uri/ $uri.html =404;
		}
	}
}
`

// writeSite makes a site of files with the logical routes. Each file says where it
// belongs.
func writeSite(t *testing.T, root string) {
	t.Helper()
	for file, handler := range map[string]string{
		"index.html": "home", "open/index.html": "open", "open/page.html": "open", "assets/x.css": "asset", "api/login": "login", "api/posts/1": "posts-read",
		"admin/index.html": "admin", "admin/users": "admin", "admin/settings.html": "admin", "admin/x.css": "admin",
		"files/secret/plan.txt": "secret", "files/secret/index.html": "secret", "files/list.txt": "files", "dashboard/index.html": "dashboard",
		"orgs/acme/index.html": "orgs:acme", "orgs/acme/page": "orgs:acme", "orgs/bolt/index.html": "orgs:bolt", "orgs/bolt/page": "orgs:bolt",
	} {
		file = filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(fileMark+handler+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// fileMark begins each file of a site.
const fileMark = "oracle-file:"

// caddyFiles is Caddy's own file server.
func caddyFiles(t *testing.T, dir string) *upstream {
	t.Helper()
	root := filepath.Join(dir, "files")
	writeSite(t, root)
	return &upstream{name: "file_server", onlyCaddy: true, site: "root * " + root + "\n\tfile_server browse"}
}

func testdata(folder string) string {
	path, err := filepath.Abs(filepath.Join("testdata", folder))
	if err != nil {
		panic(err)
	}
	return path
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
