package extauthz

//lint:file-ignore SA1019 released Envoys read the deprecated fields, so the tests look at them

import (
	"net/http"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/clerkgate/clerkgate/policy"
)

// passes is what Envoy concludes from a response: a missing status counts as OK.
func passes(response *authv3.CheckResponse) bool { return response.GetStatus().GetCode() == 0 }

// A release is how a line of Envoy releases applies header options, which
// differs.
type release struct {
	name string
	// setsByAction: without append, append_action counts for ok_response.headers.
	setsByAction bool
	// dropsAppended: a denial's headers with append true are dropped.
	dropsAppended bool
}

var releases = []release{
	{name: "most releases", dropsAppended: true},
	{name: "1.37.0", setsByAction: true},
}

// upstream applies an OK response to the fields the client sent: what is set,
// then what is removed.
func (r release) upstream(sent []policy.Header, ok *authv3.OkHttpResponse) http.Header {
	fields := http.Header{}
	for _, h := range sent {
		fields.Add(h.Name, h.Value)
	}
	for _, o := range ok.GetHeaders() {
		name, value := o.GetHeader().GetKey(), o.GetHeader().GetValue()
		appends := o.GetAppend().GetValue()
		if o.GetAppend() == nil && r.setsByAction {
			appends = o.GetAppendAction() == corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
		}
		switch {
		case !appends:
			fields.Set(name, value)
		case r.setsByAction || len(fields.Values(name)) > 0:
			fields.Add(name, value)
		}
	}
	for _, name := range ok.GetHeadersToRemove() {
		if !strings.HasPrefix(name, ":") && name != "host" {
			fields.Del(name)
		}
	}
	return fields
}

// client is what the client gets besides the upstream's own answer.
func (r release) client(response *authv3.CheckResponse) http.Header {
	fields := http.Header{}
	for _, o := range response.GetOkResponse().GetResponseHeadersToAdd() {
		if o.GetAppend() == nil || o.GetAppend().GetValue() {
			fields.Add(o.GetHeader().GetKey(), o.GetHeader().GetValue())
		} else {
			fields.Set(o.GetHeader().GetKey(), o.GetHeader().GetValue())
		}
	}
	for _, o := range response.GetDeniedResponse().GetHeaders() {
		switch {
		case o.GetAppend().GetValue() && r.dropsAppended:
		case o.GetAppend() != nil && !o.GetAppend().GetValue() && !r.dropsAppended:
			fields.Set(o.GetHeader().GetKey(), o.GetHeader().GetValue())
		default:
			fields.Add(o.GetHeader().GetKey(), o.GetHeader().GetValue())
		}
	}
	return fields
}

// values lists the values of one name.
func values(options []*corev3.HeaderValueOption, name string) []string {
	var list []string
	for _, o := range options {
		if o.GetHeader().GetKey() == name {
			list = append(list, o.GetHeader().GetValue())
		}
	}
	return list
}
