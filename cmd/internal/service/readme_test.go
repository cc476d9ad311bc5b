package service

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/pages"
)

var update = flag.Bool("update", false, "rewrite the README's table of settings")

const (
	readme     = "../../../README.md"
	tableBegin = "<!-- settings -->\n"
	tableEnd   = "<!-- /settings -->"
)

// TestReadmeListsTheSettings holds the README's table to the code.
func TestReadmeListsTheSettings(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), tableBegin)
	table, after, closed := strings.Cut(rest, tableEnd)
	if !found || !closed {
		t.Fatalf("%s has no place for the table", readme)
	}
	want := settingsTable()
	if *update {
		if err := os.WriteFile(readme, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, table); diff != "" {
		t.Errorf("the table differs from the code (go test ./cmd/internal/service -update rewrites it):\n%s", diff)
	}
}

// settingsTable lists each setting once, with the binaries that read it.
func settingsTable() string {
	var order []boot.Setting
	readers := map[string][]string{}
	for _, binary := range []struct {
		name   string
		config any
	}{
		{"api", &APIConfig{}}, {"worker", &WorkerConfig{}}, {"flow", &FlowConfig{}}, {"ui", &pages.Config{}}, {"up", &UpConfig{}}, {"commands", &ClientConfig{}}, {"kuma provision", &KumaConfig{}},
	} {
		for _, s := range boot.Settings(binary.config) {
			if readers[s.Name] == nil {
				order = append(order, s)
			}
			readers[s.Name] = append(readers[s.Name], binary.name)
		}
	}
	var b strings.Builder
	b.WriteString("| setting | default | meaning | read by |\n|---|---|---|---|\n")
	for _, s := range order {
		name, def := "`"+s.Name+"`", "`"+s.Default+"`"
		if s.Secret {
			name += " (secret)"
		}
		if s.Default == "" {
			def = ""
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, def, s.Help, strings.Join(readers[s.Name], ", "))
	}
	return b.String()
}
