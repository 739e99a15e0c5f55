package kubernetes_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// each runs a test for what the chart becomes with each file of values, and for the
// example with the gate beside a proxy.
func each(t *testing.T, test func(t *testing.T, r *rendered)) {
	t.Helper()
	for _, file := range valueFiles(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			test(t, render(t, chart, "--values", file))
		})
	}
	t.Run("beside a proxy", func(t *testing.T) {
		t.Parallel()
		test(t, renderBeside(t))
	})
}

func TestChartPassesHelmsLint(t *testing.T) {
	t.Parallel()
	for _, file := range valueFiles(t) {
		if out, err := helm(t, "lint", "--strict", chart, "--values", file); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
	if out, err := helm(t, "lint", "--strict", withDependency(t)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Decoding is strict: what a typo in a template becomes is seen.
func TestChartDecodingIsStrict(t *testing.T) {
	t.Parallel()
	good := template(t, chart, "--values", filepath.Join(chart, "ci", "redis.yaml"))
	for _, change := range [][2]string{
		{"readinessProbe:", "readynessProbe:"},
		{"appProtocol:", "appprotocol:"},
		{"      path: /metrics", "      paths: /metrics"},
		{"  minReplicas: 3", "  minReplicas: 3\n  minReplicas: 3"},
		{"  minAvailable: 2", "  minAvailable: [2]"},
		{"apiVersion: autoscaling/v2\n", "apiVersion: autoscaling/v2beta2\n"},
	} {
		bad := strings.Replace(good, change[0], change[1], 1)
		if bad == good {
			t.Fatalf("there is no %q", change[0])
		}
		if _, err := decode(t, bad); err == nil {
			t.Errorf("decoded with %q", change[1])
		}
	}
	if _, err := decode(t, good); err != nil {
		t.Error(err)
	}
}

// Every Pod may run where only the restricted profile of Pod Security may.
func TestChartPodsAreRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	each(t, func(t *testing.T, r *rendered) {
		for _, p := range r.pods() {
			if result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &p.meta, &p.spec)); !result.Allowed {
				t.Errorf("%s: %s", p.what, result.ForbiddenDetail())
			}
			for _, c := range p.containers() {
				c := c.SecurityContext
				if c == nil || c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem {
					t.Errorf("%s has a root that can be written to", p.what)
				}
			}
			gate := &p
			// The container is as restricted by itself, whatever Pod it is in.
			alone := gate.spec.DeepCopy()
			alone.SecurityContext, alone.Containers, alone.InitContainers = nil, nil, nil
			for _, c := range gate.containers() {
				if strings.Contains(c.Image, "clerkgate/clerkgate:") {
					alone.Containers = append(alone.Containers, c)
				}
			}
			if len(alone.Containers) != 1 {
				t.Fatalf("%s has %d containers of clerkgate", p.what, len(alone.Containers))
			}
			if result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &p.meta, alone)); !result.Allowed {
				t.Errorf("the container alone: %s", result.ForbiddenDetail())
			}
			if p.spec.AutomountServiceAccountToken == nil || *p.spec.AutomountServiceAccountToken {
				t.Errorf("%s mounts the token of its account", p.what)
			}
			// And the check can fail.
			alone.Containers[0].SecurityContext.Capabilities.Drop = nil
			if policy.AggregateCheckResults(evaluator.EvaluatePod(level, &p.meta, alone)).Allowed {
				t.Error("a container that keeps its capabilities is taken for restricted")
			}
		}
		for _, account := range all[*corev1.ServiceAccount](r) {
			if account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken {
				t.Error("the account's token is mounted")
			}
		}
	})
}

// What names a port, a label, a volume or an account names one that is there.
func TestChartNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rendered) {
		for _, object := range r.objects {
			o, err := meta.Accessor(object)
			if err != nil {
				t.Fatal(err)
			}
			if o.GetNamespace() != namespace || len(validation.IsDNS1123Subdomain(o.GetName())) > 0 {
				t.Errorf("%T %s/%s", object, o.GetNamespace(), o.GetName())
			}
			for key, value := range o.GetLabels() {
				if len(validation.IsQualifiedName(key)) > 0 || len(validation.IsValidLabelValue(value)) > 0 {
					t.Errorf("%T has label %s: %s", object, key, value)
				}
			}
		}
		for _, p := range r.pods() {
			checkPod(t, r, &p)
		}
		for _, service := range all[*corev1.Service](r) {
			checkService(t, r, service)
		}
	})
}

func checkPod(t *testing.T, r *rendered, p *pod) {
	t.Helper()
	if p.selector != nil && !selects(t, p.selector, p.meta.Labels) {
		t.Errorf("%s does not select its own Pods", p.what)
	}
	if account := p.spec.ServiceAccountName; account != "" && len(all[*corev1.ServiceAccount](r)) > 0 {
		if name := one[*corev1.ServiceAccount](t, r).Name; account != name {
			t.Errorf("%s runs as %s, and there is %s", p.what, account, name)
		}
	}
	volumes, ports := map[string]bool{}, map[string]bool{}
	for _, volume := range p.spec.Volumes {
		if volume.Projected != nil && *volume.Projected.DefaultMode != 0o440 {
			t.Errorf("secrets are for %o to read", *volume.Projected.DefaultMode)
		}
		if volumes[volume.Name] {
			t.Errorf("%s has two volumes %s", p.what, volume.Name)
		}
		volumes[volume.Name] = true
		if name := volume.ConfigMap; name != nil && strings.HasPrefix(name.Name, release) {
			if !slices.ContainsFunc(all[*corev1.ConfigMap](r), func(c *corev1.ConfigMap) bool { return c.Name == name.Name }) {
				t.Errorf("%s mounts ConfigMap %s, which is not there", p.what, name.Name)
			}
		}
	}
	for _, c := range p.containers() {
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s mounts %s, which is no volume", c.Name, mount.Name)
			}
			if mount.SubPath != "" {
				t.Errorf("%s mounts %s by a subPath, where changes do not arrive", c.Name, mount.Name)
			}
		}
		for _, port := range c.Ports {
			if len(validation.IsValidPortName(port.Name)) > 0 || ports[port.Name] {
				t.Errorf("%s has port %q", c.Name, port.Name)
			}
			ports[port.Name] = true
		}
		if group := c.SecurityContext.RunAsGroup; strings.Contains(c.Image, "clerkgate/clerkgate:") &&
			(group == nil || p.spec.SecurityContext.FSGroup == nil || *p.spec.SecurityContext.FSGroup != *group) {
			t.Errorf("%s is not in the group of its files", p.what)
		}
		if c.Name == "clerkgate" {
			for path, probe := range map[string]*corev1.Probe{"/healthz": c.LivenessProbe, "/readyz": c.ReadinessProbe} {
				checkProbe(t, c, path, probe)
			}
			checkProbe(t, c, "/healthz", c.StartupProbe)
		}
	}
}

// checkProbe fails unless a probe asks the admin port for path.
func checkProbe(t *testing.T, c corev1.Container, path string, probe *corev1.Probe) {
	t.Helper()
	if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != path || probe.HTTPGet.Port != intstr.FromString("admin") {
		t.Errorf("no probe of %s, but %v", path, probe)
		return
	}
	at := portOf(c, "admin")
	if at == 0 || flag(c.Args, "admin") == "" || !strings.HasSuffix(flag(c.Args, "admin"), ":"+itoa(at)) {
		t.Errorf("the probe's port is %d, and the gate listens at %s", at, flag(c.Args, "admin"))
	}
}

func checkService(t *testing.T, r *rendered, service *corev1.Service) {
	t.Helper()
	chosen := 0
	for _, p := range r.pods() {
		if !labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(p.meta.Labels)) {
			continue
		}
		chosen++
		if p.selector == nil {
			t.Errorf("Service %s leads to %s", service.Name, p.what)
		}
		for _, port := range service.Spec.Ports {
			if !slices.ContainsFunc(p.containers(), func(c corev1.Container) bool { return portOf(c, port.TargetPort.StrVal) != 0 }) {
				t.Errorf("port %s of Service %s leads to %s, which no container has", port.Name, service.Name, port.TargetPort.String())
			}
		}
	}
	if chosen != 1 {
		t.Errorf("Service %s leads to %d workloads", service.Name, chosen)
	}
}

// The ports are those that everything else is written for.
func TestChartService(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"minimal":            "grpc 9000 kubernetes.io/h2c, admin 9090 http",
		"redis":              "grpc 9000 kubernetes.io/h2c, http 9080 http, admin 9090 http; grpc 9000 kubernetes.io/h2c",
		"daemonset":          "grpc 9000 kubernetes.io/h2c, admin 9090 http",
		"mtls":               "grpc 9000 https, forward-auth 9001 https, http 9080 http, admin 9090 http",
		"socket":             "https 443 ",
		"existing-configmap": "grpc 9000 kubernetes.io/h2c, admin 9090 http",
		"sidecar":            "",
	} {
		var services []string
		for _, service := range all[*corev1.Service](render(t, chart, "--values", filepath.Join(chart, "ci", file+".yaml"))) {
			var ports []string
			for _, port := range service.Spec.Ports {
				protocol := ""
				if port.AppProtocol != nil {
					protocol = *port.AppProtocol
				}
				ports = append(ports, port.Name+" "+itoa(port.Port)+" "+protocol)
			}
			services = append(services, strings.Join(ports, ", "))
		}
		if got := strings.Join(services, "; "); got != want {
			t.Errorf("%s: %s\nwant %s", file, got, want)
		}
	}
}

// A changed policy starts the Pods anew, another change of values does not, and the
// restart can be turned off.
func TestChartChecksum(t *testing.T) {
	t.Parallel()
	const annotation = "checksum/policy"
	minimal := filepath.Join(chart, "ci", "minimal.yaml")
	of := func(args ...string) string {
		return render(t, chart, append([]string{"--values", minimal}, args...)...).workload().meta.Annotations[annotation]
	}
	document := one[*corev1.ConfigMap](t, render(t, chart, "--values", minimal)).Data["clerkgate.yaml"]
	changed := write(t, "clerkgate.yaml", strings.Replace(document, "/sign-up(.*)", "/about", 1))
	first := of()
	if len(first) != 64 || of("--set", "replicaCount=5") != first {
		t.Errorf("the checksum is %q, with more replicas %q", first, of("--set", "replicaCount=5"))
	}
	if second := of("--set-file", "policy.document="+changed); len(second) != 64 || second == first {
		t.Errorf("of another policy it is %q", second)
	}
	if off := of("--set", "policy.restartOnChange=false"); off != "" {
		t.Errorf("turned off it is %q", off)
	}
}

// The document arrives as it was written, wherever its lines begin.
func TestChartDocumentArrivesAsWritten(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		"a: b\n",
		"a: b",
		"\n\n  # first\n  clerk: {}\n\n\n  rules: []\n",
		"a: \"{{ .Values.kind }} ${X:-}\"\nb: |\n  text  \n\n# end\n",
		"a: b\r\nc: d\r\n",
	} {
		file := write(t, "policy.yaml", document)
		got := one[*corev1.ConfigMap](t, render(t, chart, "--values", filepath.Join(chart, "ci", "minimal.yaml"), "--set-file", "policy.document="+file)).Data["clerkgate.yaml"]
		normal := func(s string) string { return strings.TrimRight(strings.ReplaceAll(s, "\r\n", "\n"), "\n ") }
		if normal(got) != normal(document) {
			t.Errorf("%q arrives as %q", document, got)
		}
	}
}

// A Pod has the time that its process may take to stop.
func TestChartGracePeriodFitsTheDrain(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, r *rendered) {
		p := r.workload()
		if p == nil {
			return
		}
		drain := duration(t, flag(p.gate(t).Args, "drain"))
		grace := p.spec.TerminationGracePeriodSeconds
		if grace == nil || float64(*grace) < drain.Seconds()+stopLimit.Seconds()+1 {
			t.Errorf("the grace period is %v, the drain %v", grace, drain)
		}
	})
}

// Scaling, evictions and metrics are about the workload that is there.
func TestChartScalingAndMetrics(t *testing.T) {
	t.Parallel()
	r := render(t, chart, "--values", filepath.Join(chart, "ci", "redis.yaml"))
	deployment := one[*appsv1.Deployment](t, r)
	if deployment.Spec.Replicas != nil {
		t.Error("the number of replicas is set beside the autoscaler")
	}
	scaler := one[*autoscalingv2.HorizontalPodAutoscaler](t, r)
	if target := scaler.Spec.ScaleTargetRef; target.Name != deployment.Name || target.Kind != "Deployment" || target.APIVersion != "apps/v1" {
		t.Errorf("it scales %v", target)
	}
	if *scaler.Spec.MinReplicas != 3 || scaler.Spec.MaxReplicas != 12 || len(scaler.Spec.Metrics) != 1 {
		t.Errorf("it scales so: %+v", scaler.Spec)
	}
	budget := one[*policyv1.PodDisruptionBudget](t, r)
	if !selects(t, budget.Spec.Selector, deployment.Spec.Template.Labels) || budget.Spec.MinAvailable.IntValue() != 2 || budget.Spec.MaxUnavailable != nil {
		t.Errorf("the budget is %+v", budget.Spec)
	}
	for _, constraint := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		if !selects(t, constraint.LabelSelector, deployment.Spec.Template.Labels) {
			t.Errorf("%s spreads other Pods", constraint.TopologyKey)
		}
	}
	monitor := one[*monitoringv1.ServiceMonitor](t, r)
	scraped := 0
	for _, service := range all[*corev1.Service](r) {
		for _, port := range service.Spec.Ports {
			if selects(t, &monitor.Spec.Selector, service.Labels) && port.Name == monitor.Spec.Endpoints[0].Port {
				scraped++
			}
		}
	}
	if scraped != 1 || monitor.Spec.Endpoints[0].Port != "admin" || monitor.Spec.Endpoints[0].Path != "/metrics" || monitor.Spec.NamespaceSelector.MatchNames[0] != namespace || monitor.Labels["release"] != "prometheus" {
		t.Errorf("%d ports are scraped by %+v", scraped, monitor.Spec)
	}
}

// selects reports whether a selector that is not empty matches.
func selects(t *testing.T, selector *metav1.LabelSelector, set map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return !s.Empty() && s.Matches(labels.Set(set))
}
