package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestAProgramIsTakenApart(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "program")
	if text, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/program").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var out bytes.Buffer
	if err := run([]string{program, "v1.2.3", "pkg:deb/debian/glibc@2.36-9%2Bdeb12u1"}, &out); err != nil {
		t.Fatal(err)
	}
	var got bom
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if v := got.Metadata.Component.Version; got.Format != "CycloneDX" || v != "v1.2.3" {
		t.Errorf("%s of version %s", got.Format, v)
	}
	versions := map[string]string{}
	for _, c := range got.Components {
		if versions[c.Name] != "" || !strings.HasPrefix(c.PURL, "pkg:") || c.Ref != c.PURL {
			t.Errorf("%+v", c)
		}
		versions[c.Name] = c.Version
	}
	golang, _, _ := strings.Cut(strings.TrimPrefix(runtime.Version(), "go"), " ")
	if versions["stdlib"] != golang || versions["debian/glibc"] != "2.36-9+deb12u1" || !strings.HasPrefix(versions["github.com/google/uuid"], "v") {
		t.Errorf("its components are %v", versions)
	}
}

func TestWhatIsNoProgram(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"main.go"}, {"main.go", "v1"}, {"none", "v1"}} {
		var out bytes.Buffer
		if err := run(args, &out); err == nil || out.Len() > 0 {
			t.Errorf("%v: %v, %s", args, err, &out)
		}
	}
}
