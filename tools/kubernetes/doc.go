// Package kubernetes holds the manifests in examples/ingress to the definitions of the
// products that read them, as an API server does: unknown fields, schemas and rules.
//
// Its module also pins the tools for Kubernetes that ./test.sh builds: Helm, and Envoy
// Gateway's translator.
package kubernetes
