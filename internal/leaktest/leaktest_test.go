package leaktest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"
)

func TestASecretIsFoundInEveryEncoding(t *testing.T) {
	t.Parallel()
	secrets := Secrets{"the password": "p+a/s\"s w0rd?&<", "another": "not-there"}
	password := secrets["the password"]
	asJSON, err := json.Marshal(map[string]string{"a": password})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"itself": "xx" + password + "yy", "a query": "/?" + url.Values{"a": {password}}.Encode(), "a path": url.PathEscape(password), "JSON": string(asJSON), "quotes": fmt.Sprintf("%q", password), "hexadecimal": fmt.Sprintf("%x", password),
		"Basic": base64.StdEncoding.EncodeToString([]byte("u:" + password)), "longer": base64.StdEncoding.EncodeToString([]byte("user:" + password + ":more")),
		"a longer name": base64.RawURLEncoding.EncodeToString([]byte("users:" + password)), "alone": base64.URLEncoding.EncodeToString([]byte(password)),
	} {
		if got := secrets.In(text); !slices.Equal(got, []string{"the password"}) {
			t.Errorf("%s: found %q in %s", name, got, text)
		}
	}
	if got := secrets.In("nothing of it, p+a/s"); len(got) > 0 {
		t.Errorf("found %q", got)
	}
}
