package apiserver

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string                `json:"operationId"`
		Summary     string                `json:"summary"`
		Security    []map[string][]string `json:"security"`
		Responses   map[string]struct {
			Content map[string]any `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]any `json:"schemas"`
	} `json:"components"`
}

func TestOpenAPIGolden(t *testing.T) {
	t.Parallel()
	got := []byte(setup(t).send(t, "GET", "/openapi.json", "", "").body)
	golden := filepath.Join("testdata", "openapi.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("the document has changed; if that is meant, run go test with -update (-want +got):\n%s",
			cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}

// The document describes exactly the routes that there are, with who may use them.
func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var doc document
	text := b.send(t, "GET", "/openapi.json", "", "").body
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("OpenAPI %q, want 3.1.0", doc.OpenAPI)
	}
	described := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			name := strings.ToUpper(method) + " " + path
			described[name] = true
			i := slices.IndexFunc(routeTable, func(rt tableRoute) bool { return rt.method+" "+rt.pattern == name })
			if i < 0 {
				t.Errorf("%s is described and not there", name)
				continue
			}
			who := routeTable[i].who
			if (who != open) != (len(op.Security) == 1) {
				t.Errorf("%s: security %v", name, op.Security)
			}
			for status, has := range map[string]bool{"401": who != open || path == "/auth/login", "500": true} {
				if _, ok := op.Responses[status]; ok != has {
					t.Errorf("%s: describes %s: %v, want %v", name, status, ok, has)
				}
			}
			for status, r := range op.Responses {
				if status >= "4" && r.Content["application/problem+json"] == nil {
					t.Errorf("%s: %s is described without a problem", name, status)
				}
			}
			if op.OperationID == "" || op.Summary == "" {
				t.Errorf("%s has no id or no summary", name)
			}
		}
	}
	if err := chi.Walk(b.server.router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if name := method + " " + pattern; !described[name] && pattern != "/" && pattern != "/docs/*" {
			t.Errorf("%s is not described", name)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, ref := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(text, -1) {
		if doc.Components.Schemas[ref[1]] == nil {
			t.Errorf("schema %s is referred to and missing", ref[1])
		}
	}
	for _, bad := range []string{"ErrorModel", "$schema"} {
		if strings.Contains(text, bad) {
			t.Errorf("the document speaks of %s", bad)
		}
	}
}

// A page that works without any other server, under a policy that names its scripts.
func TestDocs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.send(t, "GET", "/docs", "", "")
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("status %d, %s", r.StatusCode, r.Header.Get("Content-Type"))
	}
	if other := b.send(t, "GET", "/docs/", "", ""); other.body != r.body {
		t.Error("/docs/ differs from /docs")
	}
	if strings.Contains(r.body, "//cdn") || strings.Contains(r.body, "unpkg") {
		t.Error("the page asks another server")
	}
	if !strings.Contains(r.body, "/openapi.json") {
		t.Error("the page does not show this API")
	}
	if !strings.Contains(r.body, `<meta name="viewport" content="width=device-width`) {
		t.Error("a phone shows the page as small as a desktop's")
	}
	policy := r.Header.Get("Content-Security-Policy")
	if inline := strings.Count(r.body, "<script>"); strings.Count(policy, "'sha256-") != inline {
		t.Errorf("policy %q for %d scripts", policy, inline)
	}
	if script := regexp.MustCompile(`script-src[^;]*`).FindString(policy); strings.Contains(script, "unsafe") {
		t.Errorf("policy allows %q", script)
	}
	for _, m := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(r.body, -1) {
		if f := b.send(t, "GET", m[1], "", ""); f.StatusCode != 200 || len(f.body) < 100 {
			t.Errorf("%s: %d with %d bytes", m[1], f.StatusCode, len(f.body))
		}
	}
	if to := b.send(t, "GET", "/", "", "").Header.Get("Location"); to != "/docs" {
		t.Errorf("/ leads to %q", to)
	}
}
