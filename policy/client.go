package policy

import "net/netip"

// ClientAddr is the address a request is attributed to.
type ClientAddr struct{ netip.Addr }
