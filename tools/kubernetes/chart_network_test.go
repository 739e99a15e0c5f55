package kubernetes_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// A NetworkPolicy lets in who is named, to what they are named for, and nobody else.
// Here the policy is asked as a network would: each row is a Pod somewhere that tries
// every port.
func TestChartNetworkPolicy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		file, from, pod, reaches string
	}{
		{"minimal", "envoy-gateway-system", "app.kubernetes.io/name=envoy", "grpc"},
		{"minimal", "app", "app.kubernetes.io/name=envoy", ""},
		{"minimal", "clerkgate", "", ""},
		{"minimal", "monitoring", "", ""},
		{"redis", "ingress", "app.kubernetes.io/name=envoy", "grpc http"},
		{"redis", "ingress", "app.kubernetes.io/name=debug", ""},
		{"redis", "other", "app.kubernetes.io/name=envoy", ""},
		{"redis", "monitoring", "app.kubernetes.io/name=prometheus", "admin"},
		{"daemonset", "istio-system", "istio=ingressgateway", "grpc"},
		{"daemonset", "istio-system", "istio=pilot", ""},
		{"mtls", "ingress", "", "grpc forward-auth http"},
		{"mtls", "ingresses", "", ""},
		{"socket", "anywhere", "", "https"},
	} {
		r := render(t, chart, "--values", filepath.Join(chart, "ci", test.file+".yaml"))
		p := r.workload()
		policy := one[*networkingv1.NetworkPolicy](t, r)
		if !selects(t, &policy.Spec.PodSelector, p.meta.Labels) || !slices.Contains(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) {
			t.Fatalf("%s: the policy is not about the Pods: %+v", test.file, policy.Spec)
		}
		set, err := labels.ConvertSelectorToLabelsMap(test.pod)
		if err != nil {
			t.Fatal(err)
		}
		var reached []string
		for _, c := range p.containers() {
			for _, port := range c.Ports {
				if lets(t, policy, test.from, set, port.Name) {
					reached = append(reached, port.Name)
				}
			}
		}
		if got := strings.Join(reached, " "); got != test.reaches {
			t.Errorf("%s: %q in %s reaches %q, want %q", test.file, test.pod, test.from, got, test.reaches)
		}
	}
	// Without one, everybody does, and the notes say so.
	if policies := all[*networkingv1.NetworkPolicy](render(t, chart, "--values", filepath.Join(chart, "ci", "existing-configmap.yaml"))); len(policies) != 0 {
		t.Error("there is a policy that was turned off")
	}
}

// lets reports whether a policy lets a Pod of a namespace reach a port.
func lets(t *testing.T, policy *networkingv1.NetworkPolicy, namespace string, pod labels.Set, port string) bool {
	t.Helper()
	return slices.ContainsFunc(policy.Spec.Ingress, func(rule networkingv1.NetworkPolicyIngressRule) bool {
		toPort := len(rule.Ports) == 0 || slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
			return p.Port == nil || p.Port.StrVal == port
		})
		return toPort && (len(rule.From) == 0 || slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool {
			return isPeer(t, peer, policy.Namespace, namespace, pod)
		}))
	})
}

func isPeer(t *testing.T, peer networkingv1.NetworkPolicyPeer, own, namespace string, pod labels.Set) bool {
	t.Helper()
	if peer.IPBlock != nil {
		t.Fatal("addresses are not looked at here")
	}
	inNamespace := namespace == own
	if peer.NamespaceSelector != nil {
		inNamespace = matches(t, peer.NamespaceSelector, labels.Set{"kubernetes.io/metadata.name": namespace})
	}
	return inNamespace && (peer.PodSelector == nil || matches(t, peer.PodSelector, pod))
}

// matches reports whether a selector matches, where an empty one does.
func matches(t *testing.T, selector *metav1.LabelSelector, set labels.Set) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		t.Fatal(err)
	}
	return s.Matches(set)
}
