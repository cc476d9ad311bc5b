package archtest

import (
	"flag"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite testdata/imports.golden")

const root = "../.."

func parseModule(t *testing.T) []*file {
	t.Helper()
	files, err := parse(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("parsed %d files only: is %s the root of the module?", len(files), root)
	}
	return files
}

func TestModuleKeepsTheRules(t *testing.T) {
	t.Parallel()
	for _, breach := range check(parseModule(t)) {
		t.Error(breach)
	}
}

func TestImportGraph(t *testing.T) {
	t.Parallel()
	const golden = "testdata/imports.golden"
	got := graph(parseModule(t))
	if *update {
		if err := os.WriteFile(golden, []byte(strings.Join(got, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
		t.Errorf("imports differ from %s; if they are meant: go test ./internal/archtest -update\n%s", golden, diff)
	}
}

// TestRules breaks each rule once in a module of one file.
func TestRules(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		path, src string
		want      string // empty: no breach
	}{
		"leaf imports leaf":          {"internal/drift/a.go", `package drift; import _ "iacontinu/internal/ml"`, "the leaf internal/drift imports internal/ml"},
		"leaf imports itself":        {"internal/logreg/a_test.go", `package logreg_test; import _ "iacontinu/internal/logreg"`, ""},
		"sideways":                   {"internal/predict/a.go", `package predict; import _ "iacontinu/internal/store"`, "internal/predict imports internal/store; only leaves"},
		"sideways in a test":         {"internal/predict/a_test.go", `package predict_test; import _ "iacontinu/internal/store"`, "internal/predict imports internal/store"},
		"leaf from above":            {"internal/store/a.go", `package store; import (_ "iacontinu/internal/ml"; _ "iacontinu/migrations")`, ""},
		"own fake":                   {"internal/discord/a_test.go", `package discord; import _ "iacontinu/internal/discord/discordtest"`, ""},
		"another's fake":             {"internal/notify/a_test.go", `package notify; import _ "iacontinu/internal/discord/discordtest"`, "internal/notify imports internal/discord/discordtest"},
		"fakes for whole binaries":   {"internal/e2e/a_test.go", `package e2e; import _ "iacontinu/internal/discord/discordtest"`, ""},
		"fakes outside of tests":     {"internal/e2e/a.go", `package e2e; import _ "iacontinu/internal/discord/discordtest"`, "internal/e2e imports internal/discord/discordtest"},
		"parts beside binaries":      {"internal/e2e/a_test.go", `package e2e; import _ "iacontinu/internal/store"`, "internal/e2e imports internal/store"},
		"internal imports cmd":       {"internal/e2e/a.go", `package e2e; import _ "iacontinu/cmd/internal/boot"`, "internal/e2e imports cmd/internal/boot"},
		"cmd wires":                  {"cmd/internal/service/a.go", `package service; import (_ "iacontinu/internal/store"; _ "iacontinu/internal/predict")`, ""},
		"bench may":                  {"bench/x/a.go", `package main; import _ "iacontinu/internal/store"`, ""},
		"another module's name":      {"internal/store/a.go", `package store; import _ "iacontinuum/internal/predict"`, ""},
		"environment":                {"internal/store/a.go", "package store\nimport \"os\"\nvar x = os.Getenv(\"X\")", "internal/store/a.go:3: os.Getenv"},
		"environment, renamed":       {"bench/x/a.go", "package main\nimport sys \"os\"\nvar x = sys.Environ()", "sys.Environ"},
		"environment in cmd":         {"cmd/internal/boot/a.go", `package boot; import "os"; var x = os.Getenv("X")`, ""},
		"environment of a stand-in":  {"deploy/docker/x/a.go", `package main; import "os"; var x = os.Getenv("X")`, ""},
		"environment in a test":      {"internal/store/a_test.go", `package store; import "os"; var x = os.Getenv("X")`, ""},
		"environment by its library": {"internal/auth/a.go", `package auth; import "github.com/caarlos0/env/v11"; var x = env.Parse`, "the environment is read in cmd alone"},
		"a method of that name":      {"internal/store/a.go", `package store; func f(os interface{ Getenv(string) }) { os.Getenv("X") }`, ""},
		"sleep in a test":            {"cmd/api/a_test.go", `package main; import "time"; func f() { time.Sleep(1) }`, "time.Sleep"},
		"sleep elsewhere":            {"internal/monitor/a.go", `package monitor; import "time"; func f() { time.Sleep(1) }`, ""},
		"init":                       {"internal/monitor/a.go", "package monitor\n\nfunc init() {}", "internal/monitor/a.go:3: func init"},
		"a method named init":        {"internal/monitor/a.go", `package monitor; type t int; func (t) init() {}`, ""},
		"default registerer":         {"internal/predict/a.go", `package predict; import "github.com/prometheus/client_golang/prometheus"; var r = prometheus.DefaultRegisterer`, "prometheus.DefaultRegisterer"},
		"registerer passed in":       {"internal/predict/a.go", `package predict; import "github.com/prometheus/client_golang/prometheus"; func f(r prometheus.Registerer) { r.MustRegister() }`, ""},
		"promauto, global":           {"cmd/api/a.go", `package main; import "github.com/prometheus/client_golang/prometheus/promauto"; var c = promauto.NewCounter`, "promauto.NewCounter"},
		"promauto, passed in":        {"internal/predict/a.go", `package predict; import "github.com/prometheus/client_golang/prometheus/promauto"; var c = promauto.With(nil)`, ""},
		"default gatherer's handler": {"cmd/api/a.go", `package main; import "github.com/prometheus/client_golang/prometheus/promhttp"; var h = promhttp.Handler()`, "promhttp.Handler"},
		"global tracer":              {"cmd/api/a.go", `package main; import "go.opentelemetry.io/otel"; var t = otel.Tracer("x")`, "imports go.opentelemetry.io/otel;"},
		"spans sent":                 {"internal/store/a.go", `package store; import sdk "go.opentelemetry.io/otel/sdk/trace"; var p = sdk.NewTracerProvider()`, "cmd alone sends them"},
		"spans sent by cmd":          {"cmd/internal/boot/a.go", `package boot; import sdk "go.opentelemetry.io/otel/sdk/trace"; var p = sdk.NewTracerProvider()`, ""},
		"spans in a test":            {"internal/store/a_test.go", `package store; import sdk "go.opentelemetry.io/otel/sdk/trace"; var p = sdk.NewTracerProvider()`, ""},
		"tracer passed in":           {"internal/store/a.go", `package store; import "go.opentelemetry.io/otel/trace"; var t trace.Tracer`, ""},
		"default logger":             {"internal/auth/a.go", `package auth; import "log/slog"; var l = slog.Default()`, "slog.Default"},
		"line to nobody's logger":    {"internal/auth/a.go", `package auth; import "log/slog"; func f() { slog.InfoContext(nil, "") }`, "slog.InfoContext"},
		"line to standard error":     {"internal/auth/a.go", `package auth; import "log"; func f() { log.Printf("") }`, "log.Printf"},
		"logger passed in":           {"internal/auth/a.go", `package auth; import ("log"; "log/slog"); func f(l *slog.Logger, o *log.Logger) { l.Info("") }`, ""},
		"default logger in cmd":      {"cmd/internal/boot/a.go", `package boot; import "log/slog"; var l = slog.Default()`, ""},
		"long":                       {"internal/store/a.go", "package store\n" + strings.Repeat("\n", 500), "501 lines"},
		"long enough":                {"internal/store/a.go", "package store\n" + strings.Repeat("\n", 499), ""},
		"long and generated":         {"internal/store/a.go", "// Code generated by x. DO NOT EDIT.\n\npackage store\n" + strings.Repeat("\n", 500), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files, err := parse(fstest.MapFS{test.path: {Data: []byte(test.src)}})
			if err != nil {
				t.Fatal(err)
			}
			got := check(files)
			if test.want == "" {
				if len(got) != 0 {
					t.Fatalf("a breach was seen where there is none: %q", got)
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], test.want) {
				t.Fatalf("got %q, want one breach with %q", got, test.want)
			}
		})
	}
}

func TestParseSkipsWhatIsNotSource(t *testing.T) {
	t.Parallel()
	src := &fstest.MapFile{Data: []byte("package x")}
	files, err := parse(fstest.MapFS{
		"internal/x/x.go": src, "internal/x/testdata/bad.go": {Data: []byte("not Go")}, ".tools/a.go": src,
		"bench/.venv/lib/a.go": src, "node_modules/m/a.go": src, "README.md": {Data: []byte("text")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].path != "internal/x/x.go" {
		t.Fatalf("parsed %d files, want internal/x/x.go alone", len(files))
	}
}

func TestGraphLeavesTestsOut(t *testing.T) {
	t.Parallel()
	files, err := parse(fstest.MapFS{
		"cmd/api/main.go":       {Data: []byte(`package main; import (_ "iacontinu/internal/b"; _ "iacontinu/internal/a"; _ "os")`)},
		"internal/a/a.go":       {Data: []byte("package a")},
		"internal/a/a_test.go":  {Data: []byte(`package a; import _ "iacontinu/internal/z"`)},
		"internal/a/two.go":     {Data: []byte(`package a; import _ "iacontinu/internal/ml"`)},
		"internal/a/twice.go":   {Data: []byte(`package a; import _ "iacontinu/internal/ml"`)},
		"internal/only_test.go": {Data: []byte("package internal")},
		"internal/alone/a.go":   {Data: []byte(`package alone; import _ "os"`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"cmd/api -> internal/a", "cmd/api -> internal/b", "internal/a -> internal/ml", "internal/alone"}
	if diff := cmp.Diff(want, graph(files)); diff != "" {
		t.Fatal(diff)
	}
}
