package session

import (
	"io"
	"testing"
)

func digestOf(token string) string {
	id := fingerprintOf(token)
	return string(id[:])
}

func readAll(tb testing.TB, r io.ReadCloser) string {
	tb.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// mintM2M returns a machine's token of the instance, with some members of its
// header and claims changed.
func mintM2M(tb testing.TB, header, claims object) string {
	tb.Helper()
	return mintWith(tb, with(object{"alg": "RS256", "cat": categoryMachine, "kid": testKid, "typ": "JWT"}, header), with(object{
		"iss": testIssuer, "sub": "mch_caller", "aud": []string{"mch_1", "mch_2"}, "scopes": "mch_1 mch_2", "jti": "mt_jwt",
		"iat": now.Unix() - 10, "nbf": now.Unix() - 10, "exp": now.Unix() + 3600,
	}, claims))
}

// mintOAuth returns an OAuth access token of the instance, likewise.
func mintOAuth(tb testing.TB, header, claims object) string {
	tb.Helper()
	return mintWith(tb, with(object{"alg": "RS256", "kid": testKid, "typ": "at+jwt"}, header), with(object{
		"iss": testIssuer, "sub": "user_2member", "client_id": "client_1", "scope": "profile email", "jti": "oat_jwt",
		"iat": now.Unix() - 10, "exp": now.Unix() + 3600,
	}, claims))
}
