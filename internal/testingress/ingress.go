package testingress

import (
	"net/http"
	"testing"
)

// Ingress is an example that its product's own code translates for Envoy.
type Ingress struct {
	// Title says what it is, File is its name in examples/ingress.
	Title, File string
	// Port is that of the Service on which clerkgate is asked.
	Port int
	// Away is the status of all answers while clerkgate is away.
	Away int
	// OneHost: it refuses requests for another host than the certificate's by itself.
	OneHost bool
	// Translate makes Envoy's configuration of it. folder is examples/ingress.
	Translate func(tb testing.TB, folder string, certificate *Certificate) *Configuration
}

// Runnable are the examples that run in a real Envoy.
var Runnable = []Ingress{
	envoyGateway("Envoy Gateway, gRPC", "envoy-gateway-grpc.yaml", GRPCPort),
	envoyGateway("Envoy Gateway, HTTP", "envoy-gateway-http.yaml", ForwardAuthPort),
	istio("Istio, gRPC", "istio-grpc.yaml", GRPCPort),
	istio("Istio, HTTP", "istio-http.yaml", ForwardAuthPort),
	{"Contour, gRPC", "contour.yaml", GRPCPort, http.StatusForbidden, true, func(tb testing.TB, folder string, certificate *Certificate) *Configuration {
		return Contour(tb, folder, "contour.yaml", certificate)
	}},
}

func envoyGateway(title, file string, port int) Ingress {
	return Ingress{title, file, port, http.StatusServiceUnavailable, false, func(tb testing.TB, folder string, certificate *Certificate) *Configuration {
		return EnvoyGateway(tb, folder, file, certificate)
	}}
}

func istio(title, file string, port int) Ingress {
	return Ingress{title, file, port, http.StatusServiceUnavailable, false, func(tb testing.TB, folder string, _ *Certificate) *Configuration {
		return Istio(tb, folder, file)
	}}
}
