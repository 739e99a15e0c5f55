package caddyplugin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// A site may be written in parts, by path. One that Caddy asks first, as it does
// whatever names a host before a wildcard, is a site of its own.
func TestPartsOfASiteAreOneSite(t *testing.T) {
	const gate, app = "{\nclerk_auth\nreverse_proxy app:1\n}\n", "{\nreverse_proxy app:1\n}\n"
	for text, refused := range map[string]bool{
		"http://a.example:7080/admin* " + gate + "http://a.example:7080 " + app:                                     true,
		"http://a.example:7080/admin* " + app + "http://a.example:7080 " + gate:                                     true,
		"http://a.example:7080/admin* " + gate + "http://:7080 " + app:                                              true,
		"http://a.example:7080/admin* " + gate + "http://a.example:7080 " + gate:                                    false,
		"http://a.example:7080/admin* " + gate + "http://b.example:7080 " + app:                                     false,
		"http://a.x.example:7080/admin* " + gate + "http://*.x.example:7080 " + app:                                 true,
		"http://a.x.example:7080/admin* " + gate + "http://*.y.example:7080 " + app:                                 false,
		"http://*.x.example:7080/admin* " + gate + "http://A.x.example:7080 " + app:                                 false,
		"http://a.example:7080 " + gate + "http://:7080 " + app:                                                     false,
		"http://a.example:7080/admin* " + gate + "http://a.example:7080 {\nclerk_strip\nreverse_proxy app:1\n}\n":   false,
		"http://a.example:7080/admin* " + gate + "http://b.example:7080 " + app + "http://a.example:7080/x* " + app: true,
	} {
		var parsed struct {
			Apps struct{ HTTP json.RawMessage }
		}
		if err := json.Unmarshal([]byte(adapted(t, "{\nadmin off\nauto_https off\nclerk {\npublishable_key pk_test_Y2xlcmsubG9jYWxob3N0JA\n}\n}\n"+text)), &parsed); err != nil {
			t.Fatal(err)
		}
		if found := layoutOf(t, parsed.Apps.HTTP); (len(found.errors) > 0) != refused {
			t.Errorf("%s: found %v", text, found)
		}
	}
}

// What fails in one part of a site is held back as in the others.
func TestPartsOfASiteShareTheirErrors(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	address := testprocess.Address(t)
	s := &site{t: t, address: address}
	errors := "handle_errors {\nreverse_proxy " + app + "\n}\n"
	load(t, "{\nadmin off\npersist_config off\nauto_https off\ngrace_period 1s\nlog {\nlevel PANIC\n}\n}\nhttp://"+address+"/admin* {\n"+gateLines(clerk, "", "")+"reverse_proxy "+app+"\n"+errors+"}\nhttp://"+address+" {\nerror /broken 500\nclerk_strip\nreverse_proxy "+app+"\n"+errors+"}\n")
	for target, want := range map[string]string{"/admin/x": `"uri":"/__clerkgate/refused","user":""`, "/broken": `"uri":"/__clerkgate/refused","user":""`, "/x": `"uri":"/x","user":""`} {
		if _, body := s.get(target, forged); !strings.Contains(body, want) || strings.Contains(body, "forged") {
			t.Errorf("%s: %s", target, body)
		}
	}
}
