package kubernetes_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// What can never work is refused when it is rendered, and told in words that lead to
// the setting.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file string
		set  []string
		says string
	}{
		// Words that mean nothing.
		{"minimal", []string{"replicas=3"}, "replicas"},
		{"minimal", []string{"networkpolicy.enabled=false"}, "networkpolicy"},
		{"minimal", []string{"image.version=1"}, "version"},
		{"minimal", []string{"secrets.secretKey.value=x"}, "value"},
		{"minimal", []string{"secrets.apiKey.name=x"}, "apiKey"},
		{"minimal", []string{"probes.readiness.path=/"}, "path"},
		{"minimal", []string{"tolerations[0].operater=Exists"}, "operater"},
		{"minimal", []string{"kind=StatefulSet"}, "kind"},
		{"minimal", []string{"grpc.port=80"}, "grpc/port"},
		{"minimal", []string{"logLevel=trace"}, "logLevel"},
		{"minimal", []string{"image.digest=latest"}, "digest"},
		{"minimal", []string{"checkTimeout=150"}, "checkTimeout"},
		{"minimal", []string{"networkPolicy.proxy[0].namespace=x"}, "'namespace'"},
		// What weakens the container.
		{"minimal", []string{"securityContext.privileged=true"}, "privileged"},
		{"minimal", []string{"securityContext.readOnlyRootFilesystem=false"}, "readOnlyRootFilesystem"},
		{"minimal", []string{"securityContext.allowPrivilegeEscalation=true"}, "allowPrivilegeEscalation"},
		{"minimal", []string{"securityContext.capabilities.drop={NET_RAW}"}, "drop"},
		{"minimal", []string{"securityContext.capabilities.add={NET_ADMIN}"}, "add"},
		{"minimal", []string{"securityContext.runAsUser=0"}, "runAsUser"},
		{"minimal", []string{"podSecurityContext.runAsNonRoot=false"}, "runAsNonRoot"},
		// Flags and labels that the chart sets itself.
		{"minimal", []string{"extraArgs={--grpc=:1}"}, "extraArgs"},
		{"minimal", []string{"extraArgs={--tls-client-ca=x}"}, "extraArgs"},
		{"minimal", []string{`podLabels.app\.kubernetes\.io/name=x`}, "app.kubernetes.io/name"},
		// What cannot be together.
		{"minimal", []string{"policy.existingConfigMap=x"}, "not"},
		{"minimal", []string{"policy.document="}, "there is no policy"},
		{"minimal", []string{"secrets.publishableKey.name=clerk"}, "not"},
		{"daemonset", []string{"autoscaling.enabled=true"}, "kind"},
		{"daemonset", []string{"updateStrategy.type=Recreate"}, "updateStrategy/type"},
		{"minimal", []string{"updateStrategy.type=OnDelete"}, "updateStrategy/type"},
		{"minimal", []string{"tls.enabled=true"}, "tls/secretName"},
		{"minimal", []string{"tls.clientCA.enabled=true"}, "tls/enabled"},
		{"minimal", []string{"tls.enabled=true", "tls.secretName=x", "tls.clientSANs={x}"}, "tls/clientCA/enabled"},
		{"mtls", []string{"socket.enabled=true"}, "tls/enabled"},
		{"sidecar", []string{"tls.enabled=true", "tls.secretName=x"}, "tls/enabled"},
		{"sidecar", []string{"serviceMonitor.enabled=true"}, "serviceMonitor/enabled"},
		{"redis", []string{"admin.service=false"}, "admin/service"},
		{"redis", []string{"autoscaling.minReplicas=13"}, "autoscaling.minReplicas"},
		{"redis", []string{"resources.requests.cpu="}, "resources.requests.cpu"},
		{"redis", []string{"podDisruptionBudget.minAvailable=3"}, "podDisruptionBudget.minAvailable"},
		{"minimal", []string{"podDisruptionBudget.minAvailable=2"}, "podDisruptionBudget.minAvailable"},
		{"minimal", []string{"terminationGracePeriodSeconds=29"}, "at least 30"},
		{"minimal", []string{"drainSeconds=60", "terminationGracePeriodSeconds=60"}, "at least 80"},
		{"minimal", []string{"grpc.port=9090"}, "are the same"},
		{"minimal", []string{"networkPolicy.proxyNamespace="}, "networkPolicy.proxyNamespace"},
		// Secrets where everybody reads them.
		{"minimal", []string{"clerk.publishableKey=sk_live_abcdefghijkl"}, "clerk.publishableKey"},
		{"minimal", []string{"policy.document=clerk: { secret_key: sk_live_abcdefghijkl }"}, "a secret key of Clerk"},
		{"minimal", []string{"policy.document=clerk: { webhook_secret: whsec_abcdefghijkl }"}, "the signing secret"},
		{"minimal", []string{`policy.document=redis: { url: "redis://edge:abcdefg@redis:6379" }`}, "a password in a URL"},
		{"minimal", []string{"policy.document=assertion: { key: '-----BEGIN PRIVATE KEY-----' }"}, "a private key"},
		{"minimal", []string{"extraEnv[0].name=CLERK_SECRET_KEY", "extraEnv[0].value=sk_live_abcdefghijkl"}, "extraEnv/0"},
		// References to what nobody sets.
		{"minimal", []string{"policy.document=clerk: { secret_key: ${CLERK_SECRET_KEY} }"}, "${CLERK_SECRET_KEY}, which nothing sets"},
	} {
		args := []string{"template", release, chart, "--values", filepath.Join(chart, "ci", test.file+".yaml")}
		for _, set := range test.set {
			args = append(args, "--set", strings.ReplaceAll(set, ", ", `\, `))
		}
		_, err := helm(t, args...)
		if err == nil {
			t.Errorf("%s with %q is rendered", test.file, test.set)
			continue
		}
		if !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s with %q: %v\nwant it to say %q", test.file, test.set, err, test.says)
		}
		for _, secret := range []string{"abcdefg"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s with %q: the error shows the secret: %v", test.file, test.set, err)
			}
		}
	}
}

// What only looks like that is taken.
func TestChartTakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file string
		set  []string
	}{
		{"minimal", []string{"policy.document=clerk: { secret_key: ${CLERK_SECRET_KEY:-} } # ${NOTHING}"}},
		{"minimal", []string{"policy.document=a: $${NAME}"}},
		{"minimal", []string{"policy.document=redis: { url: \"redis://edge:${REDIS_PASSWORD}@redis:6379\" }", "secrets.redisPassword.name=redis"}},
		{"minimal", []string{"policy.document=a: ${NAME}", "extraEnv[0].name=NAME", "extraEnv[0].value=x"}},
		{"minimal", []string{"policy.document=a: ${NAME}", "extraEnvFrom[0].configMapRef.name=x"}},
		{"minimal", []string{"terminationGracePeriodSeconds=30"}},
		{"minimal", []string{"podSecurityContext.runAsUser=null", "securityContext.runAsUser=null"}},
		{"minimal", []string{"networkPolicy.enabled=false", "networkPolicy.proxyNamespace="}},
		{"minimal", []string{"podDisruptionBudget.minAvailable=50%"}},
		{"redis", []string{"autoscaling.targetCPUUtilizationPercentage=0", "resources.requests.cpu=null"}},
		{"minimal", []string{"global.region=eu"}},
	} {
		args := []string{"--values", filepath.Join(chart, "ci", test.file+".yaml")}
		for _, set := range test.set {
			args = append(args, "--set", set)
		}
		render(t, chart, args...)
	}
}

// secretValues are those that a document or an environment could hold.
var secretValues = regexp.MustCompile(`\b(sk|ak)_[a-z]*_?[A-Za-z0-9]{8}|whsec_|PRIVATE KEY|://[^/\s]*:[^/\s]*@`)

// No Secret is made, and none's value stands anywhere.
func TestChartRendersNoSecret(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rendered) {
		if found := secretValues.FindString(r.text); found != "" {
			t.Errorf("there is %q", found)
		}
		if strings.Contains(r.text, "kind: Secret\n") {
			t.Error("there is a Secret")
		}
		for _, p := range r.pods() {
			for _, c := range p.containers() {
				for _, e := range c.Env {
					if regexp.MustCompile(`SECRET|JWT|ASSERTION|REDIS`).MatchString(e.Name) && (e.Value != "" || e.ValueFrom.SecretKeyRef == nil) {
						t.Errorf("%s stands in %s", e.Name, p.what)
					}
				}
			}
		}
	})
}

// values reads the default values.
func values(t *testing.T) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.UnmarshalStrict([]byte(read(t, filepath.Join(chart, "values.yaml"))), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// leaves are the values that are no maps with keys, by their paths.
func leaves(at string, value any, into map[string]any) map[string]any {
	if m, ok := value.(map[string]any); ok && len(m) > 0 {
		for key, v := range m {
			leaves(strings.TrimPrefix(at+"."+key, "."), v, into)
		}
		return into
	}
	into[at] = value
	return into
}

// row is one of a table about values: name, default, and what it is.
var row = regexp.MustCompile("(?m)^\\| `([A-Za-z][A-Za-z.]*)` \\| (.*?) \\| (.+) \\|$")

// The README has every value with its default, and no other.
func TestChartReadmeHasEveryValue(t *testing.T) {
	t.Parallel()
	all := values(t)
	open := leaves("", all, map[string]any{})
	if len(open) < 90 {
		t.Fatalf("only %d values", len(open))
	}
	for _, found := range row.FindAllStringSubmatch(read(t, filepath.Join(chart, "README.md")), -1) {
		path, told := found[1], found[2]
		value, ok := lookup(all, path)
		if !ok {
			t.Errorf("there is no value %s", path)
			continue
		}
		written, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if m, isMap := value.(map[string]any); told != "`"+string(written)+"`" && (told != "see `values.yaml`" || len(written) < 40 || (!isMap && len(m) == 0 && written[0] != '[')) {
			t.Errorf("the default of %s is told as %s, and is `%s`", path, told, written)
		}
		maps.DeleteFunc(open, func(leaf string, _ any) bool { return leaf == path || strings.HasPrefix(leaf, path+".") })
	}
	for _, path := range slices.Sorted(maps.Keys(open)) {
		t.Errorf("the README does not tell of %s", path)
	}
}

func lookup(in any, path string) (any, bool) {
	for key := range strings.SplitSeq(path, ".") {
		m, ok := in.(map[string]any)
		if !ok {
			return nil, false
		}
		if in, ok = m[key]; !ok {
			return nil, false
		}
	}
	return in, true
}

// The schema has every value, and none that has no default.
func TestChartSchemaHasEveryValue(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(chart, "values.schema.json"))), &schema); err != nil {
		t.Fatal(err)
	}
	compareSchema(t, "", schema, schema["$defs"].(map[string]any), values(t))
}

func compareSchema(t *testing.T, at string, schema, defs map[string]any, value any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return // a list, a word, or what Kubernetes takes
	}
	if schema["additionalProperties"] != false {
		t.Errorf("%s takes unknown keys", at)
	}
	m, _ := value.(map[string]any)
	for key := range m {
		if properties[key] == nil {
			t.Errorf("the schema has no %s.%s", at, key)
		}
	}
	for key, property := range properties {
		v, has := m[key]
		if !has {
			// Objects of Kubernetes need not have all that they can.
			if !regexp.MustCompile(`(ecurityContext|probes\.|resources|affinity|updateStrategy|seccompProfile|behavior|^$)`).MatchString(at) || at == "" && key != "global" {
				t.Errorf("%s.%s has no default", at, key)
			}
			continue
		}
		compareSchema(t, strings.TrimPrefix(at+"."+key, "."), property.(map[string]any), defs, v)
	}
}

// Every value does something: another one renders something else.
func TestChartEveryValueCounts(t *testing.T) {
	t.Parallel()
	document := read(t, filepath.Join(chart, "ci", "redis.yaml"))
	// A second section of a name would end the first: these join it.
	document = strings.Replace(document, "secrets:\n", "secrets:\n  jwtKey: { name: clerk }\n  machineSecretKey: { name: clerk }\n", 1)
	full := write(t, "full.yaml", document+fullValues)
	base := template(t, chart, "--values", full)
	var set map[string]any
	if err := yaml.Unmarshal([]byte(document+fullValues), &set); err != nil {
		t.Fatal(err)
	}
	given := leaves("", set, map[string]any{})
	counted := 0
	for path, value := range leaves("", values(t), map[string]any{}) {
		if v, ok := given[path]; ok {
			value = v
		}
		if regexp.MustCompile(`^(policy|securityContext|podSecurityContext)\.`).MatchString(path) || path == "kind" {
			continue // tested by themselves
		}
		args := []string{"--values", full}
		if change, ok := changes[path]; ok {
			args = append(args, change...)
		} else {
			args = append(args, "--set", path+"="+another(value))
		}
		if template(t, chart, args...) == base {
			t.Errorf("%s changes nothing: %v", path, args[2:])
		}
		counted++
	}
	if counted < 70 {
		t.Errorf("only %d values were changed", counted)
	}
}

// fullValues turn on, beside those of redis.yaml, what makes others count.
const fullValues = `
forwardAuth: { enabled: true }
tls:
  enabled: true
  secretName: cert
  clientCA: { enabled: true }
extraEnvFrom: [{ configMapRef: { name: some } }]
`

// changes are those that are no other word or number.
var changes = map[string][]string{
	"image.digest":                       {"--set", "image.digest=sha256:" + strings.Repeat("0", 64)},
	"image.pullPolicy":                   {"--set", "image.pullPolicy=Always"},
	"imagePullSecrets":                   {"--set", "imagePullSecrets[0].name=x"},
	"clerk.publishableKey":               {"--set", "clerk.publishableKey=pk_live_x,secrets.publishableKey.name="},
	"secrets.publishableKey.key":         {"--set", "secrets.publishableKey.key=x"},
	"logLevel":                           {"--set", "logLevel=debug"},
	"checkTimeout":                       {"--set", "checkTimeout=1s"},
	"terminationGracePeriodSeconds":      {"--set", "terminationGracePeriodSeconds=99"},
	"extraArgs":                          {"--set", "extraArgs={--reflection}"},
	"extraEnv":                           {"--set", "extraEnv[0].name=X,extraEnv[0].value=y"},
	"extraEnvFrom":                       {"--set", "extraEnvFrom[0].configMapRef.name=x"},
	"extraVolumes":                       {"--set", "extraVolumes[0].name=x"},
	"extraVolumeMounts":                  {"--set", "extraVolumeMounts[0].name=x,extraVolumeMounts[0].mountPath=/x"},
	"initContainers":                     {"--set", "initContainers[0].name=x"},
	"extraContainers":                    {"--set", "extraContainers[0].name=x"},
	"service.internalTrafficPolicy":      {"--set", "service.internalTrafficPolicy=Local"},
	"service.trafficDistribution":        {"--set", "service.trafficDistribution=PreferClose"},
	"service.extraPorts":                 {"--set", "service.extraPorts[0].name=x"},
	"service.annotations":                {"--set", "service.annotations.x=y"},
	"networkPolicy.extraIngress":         {"--set", "networkPolicy.extraIngress[0].ports[0].port=1"},
	"networkPolicy.egress":               {"--set", "networkPolicy.egress=null"},
	"networkPolicy.proxy":                {"--set", "networkPolicy.proxy[0].podSelector.matchLabels.x=y"},
	"networkPolicy.monitoring":           {"--set", "networkPolicy.monitoring[0].podSelector.matchLabels.x=y"},
	"podDisruptionBudget.maxUnavailable": {"--set", "podDisruptionBudget.maxUnavailable=2,podDisruptionBudget.minAvailable="},
	"podDisruptionBudget.minAvailable":   {"--set", "podDisruptionBudget.minAvailable=1"},
	"replicaCount":                       {"--set", "replicaCount=7,autoscaling.enabled=false"},
	"autoscaling.metrics":                {"--set", "autoscaling.metrics[0].type=Resource"},
	"autoscaling.behavior":               {"--set", "autoscaling.behavior.scaleUp.selectPolicy=Max"},
	"serviceMonitor.labels":              {"--set", "serviceMonitor.labels.x=y"},
	"serviceMonitor.interval":            {"--set", "serviceMonitor.interval=1m"},
	"serviceMonitor.scrapeTimeout":       {"--set", "serviceMonitor.scrapeTimeout=5s"},
	"serviceMonitor.relabelings":         {"--set", "serviceMonitor.relabelings[0].action=drop"},
	"serviceMonitor.metricRelabelings":   {"--set", "serviceMonitor.metricRelabelings[0].action=drop"},
	"serviceAccount.annotations":         {"--set", "serviceAccount.annotations.x=y"},
	"admin.service":                      {"--set", "admin.service=false,serviceMonitor.enabled=false"},
	"socket.enabled":                     {"--set", "socket.enabled=true,tls.enabled=false,tls.clientCA.enabled=false"},
	"socket.directory":                   {"--set", "socket.enabled=true,tls.enabled=false,tls.clientCA.enabled=false,socket.directory=/run/x"},
	"tls.enabled":                        {"--set", "tls.enabled=false,tls.clientCA.enabled=false"},
	"tls.clientSANs":                     {"--set", "tls.clientSANs={x}"},
	"updateStrategy.type":                {"--set", "updateStrategy.type=Recreate"},
	"tolerations":                        {"--set", "tolerations[0].operator=Exists"},
	"affinity":                           {"--set", "affinity.podAntiAffinity.x=y"},
	"topologySpreadConstraints":          {"--set", "topologySpreadConstraints=null"},
	"commonLabels":                       {"--set", "commonLabels.x=y"},
	"podLabels":                          {"--set", "podLabels.x=y"},
	"podAnnotations":                     {"--set", "podAnnotations.x=y"},
	"nodeSelector":                       {"--set", "nodeSelector.x=y"},
	"resources.requests.cpu":             {"--set", "resources.requests.cpu=2"},
}

// another returns a value of the same kind.
func another(value any) string {
	switch v := value.(type) {
	case bool:
		return fmt.Sprint(!v)
	case float64:
		return fmt.Sprint(v + 7) // no other port
	case string:
		if v == "env" {
			return "file"
		} else if v == "file" {
			return "env"
		}
		return "another"
	}
	return "another"
}

// The lines of the README that run Helm are ones that Helm takes for this chart.
func TestChartReadmeCommandsWork(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(read(t, filepath.Join(chart, "README.md")), " \\\n", " ")
	ran := 0
	for _, line := range regexp.MustCompile(`(?m)^ {4}helm (install|upgrade --install|template) (.*)$`).FindAllStringSubmatch(text, -1) {
		args := []string{"template"}
		for arg := range strings.FieldsSeq(strings.ReplaceAll(line[2], "'", "")) {
			switch {
			case arg == "--create-namespace", arg == "--wait":
				continue
			case arg == "deploy/helm/clerkgate":
				arg = chart
			case arg == "deploy/helm/examples/sidecar":
				arg = withDependency(t)
			case strings.HasPrefix(arg, "policy.document="):
				arg = "policy.document=" + filepath.Join("..", "..", strings.TrimPrefix(arg, "policy.document="))
			case strings.HasPrefix(arg, "deploy/helm/clerkgate/"):
				arg = filepath.Join("..", "..", arg)
			}
			args = append(args, arg)
		}
		out, err := helm(t, args...)
		if err != nil {
			t.Errorf("%s: %v", line[0], err)
			continue
		}
		if _, err := decode(t, out); err != nil {
			t.Error(err)
		}
		ran++
	}
	if ran < 2 {
		t.Errorf("the README has %d such lines", ran)
	}
	if _, err := os.Stat(filepath.Join("..", "..", "examples", "envoy", "clerkgate.yaml")); err != nil {
		t.Error(err)
	}
}
