// Package testingress runs what an ingress controller makes of a manifest in a real
// Envoy: its listeners, routes, clusters and filters, with local servers in the place of
// Services.
package testingress

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Configuration are the resources that a controller hands to Envoy, each as protobuf's
// JSON has it.
type Configuration struct {
	Listeners, Routes, Clusters, Endpoints []Resource
}

// Resource is one of Envoy's resources.
type Resource = map[string]any

// Edge is one listener of the configuration, with what it needs of its own.
type Edge struct {
	Name string
	// Services are the addresses of the servers that stand for Services, by the port of
	// the Service.
	Services map[int]string
	// AnyHost routes requests whatever their host is.
	AnyHost bool
	// Identity are the identity headers where they are not the default ones: they are
	// added to the lists of the manifest, as it says.
	Identity []string
	// Manager are settings of the connection manager that the test needs besides.
	Manager Resource
}

// Bootstrap is the configuration of an Envoy that has each edge. Resources are what the
// controller made, but for four things: what it would hand over later is written in
// place, listeners are on a free port of 127.0.0.1, the certificate is [Certificate], and
// checks may take as long as a busy machine takes.
func (c *Configuration) Bootstrap(tb testing.TB, certificate *Certificate, edges []Edge) string {
	tb.Helper()
	var listeners, clusters []Resource
	for _, e := range edges {
		b := &builder{tb: tb, configuration: c, certificate: certificate, edge: e}
		listener := b.listener()
		clusters = append(clusters, b.clusters(listener)...)
		listeners = append(listeners, b.own(listener))
	}
	text, err := json.Marshal(Resource{
		"admin":           Resource{"address": socket("127.0.0.1:0")},
		"staticResources": Resource{"listeners": listeners, "clusters": clusters},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// manifests are the documents of an example, and of the Services that it refers to.
func manifests(tb testing.TB, folder, file string) string {
	tb.Helper()
	var all strings.Builder
	for _, name := range []string{"service.yaml", file} {
		text, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			tb.Fatal(err)
		}
		all.Write(append(text, "---\n"...))
	}
	return all.String()
}

// translate runs the translator that a variable names over manifests.
func translate(tb testing.TB, variable, what, manifests string, args ...string) []byte {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), testprocess.Binary(tb, variable, what, ""), args...)
	cmd.Stdin = strings.NewReader(manifests)
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		err = fmt.Errorf("%w: %s", err, failed.Stderr)
	}
	if err != nil {
		tb.Fatalf("%s: %v", what, err)
	}
	return out
}

// builder makes the resources of one edge.
type builder struct {
	tb            testing.TB
	configuration *Configuration
	certificate   *Certificate
	edge          Edge
}

// listener is the one that routes requests by TLS: others are for probes, and redirect.
func (b *builder) listener() Resource {
	b.tb.Helper()
	var found Resource
	for _, l := range b.configuration.Listeners {
		l = clone(l)
		routed, secure := false, false
		walk(l, func(r Resource) {
			routed = routed || r["rds"] != nil
			secure = secure || r["commonTlsContext"] != nil
		})
		switch {
		case !routed || !secure:
			continue
		case found != nil:
			b.tb.Fatalf("two listeners route requests: %v and %v", found["name"], l["name"])
		}
		found = l
	}
	if found == nil {
		b.tb.Fatal("no listener routes requests")
	}
	found["name"], found["address"] = b.edge.Name, socket("127.0.0.1:0")
	walk(found, b.complete)
	return found
}

// complete writes in place what the controller would hand over later.
func (b *builder) complete(r Resource) {
	if rds, ok := r["rds"].(Resource); ok {
		delete(r, "rds")
		r["routeConfig"] = b.routes(rds["routeConfigName"])
		maps.Copy(r, b.edge.Manager)
	}
	if _, ok := r["tlsCertificateSdsSecretConfigs"]; ok {
		delete(r, "tlsCertificateSdsSecretConfigs")
		r["tlsCertificates"] = []any{Resource{
			"certificateChain": Resource{"inlineString": b.certificate.Chain},
			"privateKey":       Resource{"inlineString": b.certificate.Key},
		}}
	}
	b.list(r)
	for _, service := range []string{"grpcService", "serverUri"} {
		if r, ok := r[service].(Resource); ok && r["timeout"] != nil {
			r["timeout"] = testprocess.Patience.String()
		}
	}
}

// list adds the edge's identity headers to lists of headers: what is shown to the check
// over HTTP, what its answer hands to the app, and what clients may not send.
func (b *builder) list(r Resource) {
	for _, header := range b.edge.Identity {
		for _, key := range []string{"allowedHeaders", "allowedUpstreamHeaders"} {
			if list, ok := r[key].(Resource); ok {
				patterns, _ := list["patterns"].([]any)
				list["patterns"] = append(patterns, Resource{"exact": header, "ignoreCase": true})
			}
		}
		if mutations, ok := r["mutations"].([]any); ok {
			r["mutations"] = append(mutations, Resource{"remove": header})
		}
	}
}

func (b *builder) routes(name any) Resource {
	b.tb.Helper()
	found := clone(b.named(b.configuration.Routes, "name", name))
	if b.edge.AnyHost {
		hosts, _ := found["virtualHosts"].([]any)
		if len(hosts) != 1 {
			b.tb.Fatalf("%d virtual hosts, of which none can be for any host", len(hosts))
		}
		hosts[0].(Resource)["domains"] = []any{"*"}
	}
	return found
}

// clusters are those of the configuration that a listener uses, with addresses of the
// edge's servers.
func (b *builder) clusters(listener Resource) []Resource {
	b.tb.Helper()
	used := map[any]bool{}
	walk(listener, func(r Resource) {
		for _, key := range []string{"cluster", "clusterName"} {
			if name, ok := r[key].(string); ok {
				used[name] = true
			}
		}
	})
	var all []Resource
	for _, cluster := range b.configuration.Clusters {
		if !used[cluster["name"]] {
			continue
		}
		cluster = clone(cluster)
		if eds, ok := cluster["edsClusterConfig"].(Resource); ok {
			delete(cluster, "edsClusterConfig")
			name := eds["serviceName"]
			if name == nil {
				name = cluster["name"]
			}
			cluster["loadAssignment"] = clone(b.named(b.configuration.Endpoints, "clusterName", name))
		}
		cluster["type"] = "STATIC"
		walk(cluster, func(r Resource) {
			if at, ok := r["socketAddress"].(Resource); ok {
				port, _ := at["portValue"].(float64)
				address := b.edge.Services[int(port)]
				if address == "" {
					b.tb.Fatalf("cluster %v is on port %v, where the test has no server", cluster["name"], port)
				}
				r["socketAddress"] = socket(address)["socketAddress"]
			}
		})
		all = append(all, b.own(cluster))
	}
	return all
}

// own marks the names of clusters as the edge's own.
func (b *builder) own(r Resource) Resource {
	var names []string
	for _, cluster := range b.configuration.Clusters {
		names = append(names, cluster["name"].(string))
	}
	walk(r, func(r Resource) {
		for _, key := range []string{"cluster", "clusterName", "name"} {
			if name, _ := r[key].(string); slices.Contains(names, name) {
				r[key] = name + "@" + b.edge.Name
			}
		}
	})
	return r
}

func (b *builder) named(list []Resource, key string, name any) Resource {
	b.tb.Helper()
	i := slices.IndexFunc(list, func(r Resource) bool { return r[key] == name })
	if i < 0 {
		b.tb.Fatalf("no resource has %s %v", key, name)
	}
	return list[i]
}

// pods stand for those of a Service, at its port.
func pods(cluster any, port int) Resource {
	endpoint := Resource{"address": Resource{"socketAddress": Resource{"address": "10.0.0.2", "portValue": float64(port)}}}
	return Resource{"clusterName": cluster, "endpoints": []any{Resource{"lbEndpoints": []any{Resource{"endpoint": endpoint}}}}}
}

// socket is an address in Envoy's words.
func socket(address string) Resource {
	host, port, _ := net.SplitHostPort(address)
	number, _ := strconv.Atoi(port)
	return Resource{"socketAddress": Resource{"address": host, "portValue": number}}
}

// walk visits every object in a value, an inner one after what it is in.
func walk(value any, visit func(Resource)) {
	switch value := value.(type) {
	case Resource:
		visit(value)
		for _, inner := range value {
			walk(inner, visit)
		}
	case []any:
		for _, inner := range value {
			walk(inner, visit)
		}
	}
}

// clone copies a resource.
func clone(r Resource) Resource {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // it was read from JSON
	}
	var copied Resource
	if err := json.NewDecoder(strings.NewReader(string(text))).Decode(&copied); err != nil {
		panic(err)
	}
	return copied
}
