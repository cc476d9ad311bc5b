package deploy

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// built are the services of docker-compose.yml that have an image of their own to build.
func built(t *testing.T) []string {
	t.Helper()
	services := readCompose(t).Services
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(services)), func(name string) bool { return services[name].Build.Target == "" })
	if len(list) < 6 {
		t.Fatalf("only %q are built", list)
	}
	return list
}

// asked is what a script asks of docker, a call a line; git and jq answer nothing.
func asked(t *testing.T, script string, env ...string) []string {
	t.Helper()
	programs := t.TempDir()
	calls := filepath.Join(programs, "calls")
	for name, text := range map[string]string{"docker": `echo "$*" >>"` + calls + `"`, "git": "echo v1", "jq": "echo {}"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), script)
	cmd.Env = append([]string{"PATH=" + programs + ":" + os.Getenv("PATH")}, env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	b, err := os.ReadFile(calls)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// missing are those that no call has among its words.
func missing(services, calls []string) []string {
	words := strings.Fields(strings.Join(calls, " "))
	return slices.DeleteFunc(slices.Clone(services), func(name string) bool { return slices.Contains(words, name) })
}

// TestWhatIsBuiltIsPublished: `up --no-build` finds every image, after make images and with those of a release.
func TestWhatIsBuiltIsPublished(t *testing.T) {
	t.Parallel()
	services := built(t)
	if left := missing(services, asked(t, "docker/build")); len(left) > 0 {
		t.Errorf("deploy/docker/build leaves out %q", left)
	}
	if left := missing(services, asked(t, "docker/publish", "IACONTINU_IMAGES=registry.example.com/us", "MLFLOW_IMAGE=another")); len(left) > 0 {
		t.Errorf("deploy/docker/publish leaves out %q", left)
	}
	if left := missing(services, asked(t, "docker/build", "MLFLOW_IMAGE=another")); !slices.Equal(left, []string{"mlflow-server"}) {
		t.Errorf("with an image of MLflow from elsewhere, deploy/docker/build leaves out %q", left)
	}
	for _, name := range services {
		if image := readCompose(t).Services[name].Image; !strings.Contains(image, "${IACONTINU_IMAGES:-iacontinu}/") || !strings.Contains(image, ":${IACONTINU_VERSION:-dev}") {
			t.Errorf("%s: a release has no image %s", name, image)
		}
	}
	release, err := os.ReadFile("../.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range services {
		if name == "secrets" { // it is the one that builds iacontinu
			name = "iacontinu"
		}
		if !regexp.MustCompile(`(?m)^ +image: \[.*\b` + name + `\b.*\]$`).Match(release) {
			t.Errorf("release.yml attests no image %s", name)
		}
	}
}
