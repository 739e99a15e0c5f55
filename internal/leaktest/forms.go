package leaktest

// Canary is in each of [Forms].
const Canary = "CANARY7kq2"

// Forms are secrets in the forms that they have, by which they can be told wherever
// they get to, some of them broken. Each has [Canary] in what is secret.
var Forms = map[string]string{
	"a secret key":       "sk_live_" + Canary + "0123456789abcdefghij",
	"a test key":         "sk_test_" + Canary,
	"a signing secret":   "whsec_" + Canary + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw==",
	"a machine key":      "ak_" + Canary + "0123456789",
	"a session token":    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1." + Canary,
	"a private key":      "-----BEGIN PRIVATE KEY-----\n" + Canary + "\n-----END PRIVATE KEY-----",
	"half a private key": "-----BEGIN PRIVATE KEY-----\n" + Canary,
	"a Redis URL":        "redis://edge:" + Canary + "@redis:6379/0",
	"a bad Redis URL":    "redis://edge:" + Canary + "%zz@redis:port/x?y",
	"a password alone":   "redis://" + Canary + "@redis:6379",
	"slashes":            "rediss://edge:a/b#" + Canary + "?@redis:6380",
	"a site's URL":       "https://user:" + Canary + "@app.example.com/x",
	"no scheme":          "edge:" + Canary + "@redis:6379",
	"an odd scheme":      "ftp://user:" + Canary + "@app.example.com",
}
