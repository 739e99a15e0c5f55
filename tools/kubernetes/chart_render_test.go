package kubernetes_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
)

var (
	chart = filepath.Join("..", "..", "deploy", "helm", "clerkgate")
	// beside is the example of a chart with the gate in the Pods of its own proxy.
	beside = filepath.Join("..", "..", "deploy", "helm", "examples", "sidecar")
)

// Names of the release in all tests.
const release, namespace = "clerkgate", "clerkgate"

// valueFiles are the files of values that the chart is tested with.
func valueFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(chart, "ci", "*.yaml"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d files of values, %v", len(files), err)
	}
	return files
}

// binary finds a program by a variable of the environment. Without it the test is
// skipped, or fails where CLERKGATE_FULL is 1.
func binary(t *testing.T, variable, what string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		missing(t, "there is no "+what+": set "+variable)
	}
	return path
}

func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CLERKGATE_FULL") == "1" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// helm runs Helm, which knows nothing of any cluster or user here.
func helm(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary(t, "CLERKGATE_HELM", "Helm"), args...)
	home := t.TempDir()
	cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + filepath.Join(home, "none")}
	var out, told bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &told
	if err := cmd.Run(); err != nil {
		return out.String(), errors.New(strings.TrimSpace(told.String() + "\n" + err.Error()))
	}
	return out.String(), nil
}

// template renders a chart and fails the test if it cannot be.
func template(t *testing.T, chart string, args ...string) string {
	t.Helper()
	out, err := helm(t, append([]string{"template", release, chart, "--namespace", namespace}, args...)...)
	if err != nil {
		t.Fatalf("helm template %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// scheme has the types of all that the charts may render, and of nothing else.
func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, policyv1.AddToScheme, autoscalingv2.AddToScheme,
		networkingv1.AddToScheme, monitoringv1.AddToScheme,
	} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// decode reads manifests into their Go types. Fields that a type does not have, and
// keys that come twice, are errors.
func decode(t *testing.T, manifests string) (objects []runtime.Object, err error) {
	t.Helper()
	s := scheme(t)
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, s, s, json.SerializerOptions{Yaml: true, Strict: true})
	documents := utilyaml.NewYAMLReader(newReader(manifests))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(withoutComments(document))) == 0 {
			continue
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return nil, errors.New(err.Error() + ":\n" + string(document))
		}
		objects = append(objects, object)
	}
}

// rendered is what a chart becomes.
type rendered struct {
	text    string
	objects []runtime.Object
}

// render renders a chart and decodes it.
func render(t *testing.T, chart string, args ...string) *rendered {
	t.Helper()
	text := template(t, chart, args...)
	objects, err := decode(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) == 0 {
		t.Fatal("nothing was rendered")
	}
	return &rendered{text, objects}
}

// all returns the objects of a type.
func all[T runtime.Object](r *rendered) (found []T) {
	for _, object := range r.objects {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// one returns the object of a type, of which there must be one.
func one[T runtime.Object](t *testing.T, r *rendered) T {
	t.Helper()
	found := all[T](r)
	if len(found) != 1 {
		t.Fatalf("%d of type %T", len(found), *new(T))
	}
	return found[0]
}

// pod is a Pod, or the template of some.
type pod struct {
	what     string
	selector *metav1.LabelSelector // of its workload; nil for a Pod
	meta     metav1.ObjectMeta
	spec     corev1.PodSpec
}

// pods returns all Pods that the manifests make.
func (r *rendered) pods() (pods []pod) {
	for _, o := range r.objects {
		switch o := o.(type) {
		case *appsv1.Deployment:
			pods = append(pods, pod{"Deployment " + o.Name, o.Spec.Selector, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec})
		case *appsv1.DaemonSet:
			pods = append(pods, pod{"DaemonSet " + o.Name, o.Spec.Selector, o.Spec.Template.ObjectMeta, o.Spec.Template.Spec})
		case *corev1.Pod:
			pods = append(pods, pod{"Pod " + o.Name, nil, o.ObjectMeta, o.Spec})
		}
	}
	return pods
}

// workload returns the Pods that run the gate, or nil.
func (r *rendered) workload() *pod {
	for _, p := range r.pods() {
		if p.selector != nil {
			return &p
		}
	}
	return nil
}

// containers are all of a Pod, those that run at first included.
func (p *pod) containers() []corev1.Container {
	return append(append([]corev1.Container{}, p.spec.InitContainers...), p.spec.Containers...)
}

// gate returns the container of the gate.
func (p *pod) gate(t *testing.T) corev1.Container {
	t.Helper()
	for _, c := range p.containers() {
		if c.Name == "clerkgate" {
			return c
		}
	}
	t.Fatalf("%s has no container clerkgate", p.what)
	return corev1.Container{}
}
