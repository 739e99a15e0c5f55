package browser

import (
	"strings"
)

// PortalHost is the host of the Account Portal beside a Frontend API.
func PortalHost(frontend string) string {
	host := strings.Replace(frontend, "clerk.accountsstage.", "accountsstage.", 1)
	if before, after, ok := strings.Cut(host, "clerk."); ok {
		host = before + "accounts." + strings.TrimPrefix(after, "accounts.")
	}
	return host
}
