package extauthz

import "strings"

// DecisionID implements [observe.Exchange].
func (x *exchange) DecisionID() string { return decisionID(x.id) }

// Method implements [observe.Exchange].
func (x *exchange) Method() string { return x.check.request.Method }

// Path implements [observe.Exchange].
func (x *exchange) Path() string {
	path, _, _ := strings.Cut(x.check.request.Target, "?")
	return path
}

// ForwardedFor implements [observe.Exchange].
func (x *exchange) ForwardedFor() string {
	for _, h := range x.check.request.Headers {
		if strings.EqualFold(h.Name, "X-Forwarded-For") {
			return h.Value
		}
	}
	return ""
}
