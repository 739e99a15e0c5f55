package redact

import (
	"strings"
	"testing"
)

func TestSecretsAreTakenOut(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		`"redis://:CANARY@h:1" is not host:port`, `"redis://user:CANARY@host/x" has`, `"redis://CANARY@host"`, `"https://u:CANARY/x@h/y" is not`,
		`"redis://u:CANARY pw@host:6379" is`, `"user:CANARY@host:6379" lacks`, `user:CAN@ARYCANARY@host`, `"//u:CANARY@h"`,
		`"sk_live_CANARY" is`, `"sk_test_CANARY$" is`, `whsec_CANARY=`, `"ak_CANARY" is`, `mt_CANARY`, `oat_CANARY`,
		`"eyJhbGciOiJSUzI1NiJ9.CANARY.CANARY" is`, "-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----", `"-----BEGIN RSA PRIVATE KEY-----\nCANARY" is`,
	} {
		if got := Text(text); strings.Contains(got, "CANARY") {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	for _, text := range []string{
		"", `unknown key "secret_kee" (did you mean "secret_key"?)`, "a webhook secret is whsec_ and base64 text", `"https://app.example.com/x" is not an origin`,
		"gate.yaml:3:12: clerk.proxy_url: is a path", "copy it from the dashboard, sk_...", `"10.0.0.0/8" is`, "task_1 and risk_live are words", `"chrome-extension://abc" is`,
	} {
		if got := Text(text); got != text {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
