// The modules whose definitions of resources the examples are checked against: read,
// never compiled.
module github.com/clerkgate/clerkgate/tools/kubernetes/crds

go 1.26.0

require (
	github.com/emissary-ingress/emissary/v3 v3.10.0
	github.com/kgateway-dev/kgateway/v2 v2.2.0
	github.com/projectcontour/contour v1.33.8
	github.com/traefik/traefik/v3 v3.7.13
	k8s.io/ingress-nginx v0.0.0-20240708192948-52c50467d67d
)
