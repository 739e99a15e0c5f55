// Package failovertest proves that losing one of two clerkgate processes loses no
// request: real proxies, by the configurations that users paste, ask two real
// processes, of which one is killed, stopped or frozen under load. It has tests only.
package failovertest
