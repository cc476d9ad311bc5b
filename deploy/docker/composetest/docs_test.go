//go:build integration

package composetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"iacontinu/docs"
)

// documented types in what docs/install.md and docs/operations.md say of Compose, a backup and its restore among it. What
// they build and the secrets are there already, and the project has the name of the test's.
func documented(t *testing.T) {
	project := strings.TrimSpace(docker(t, "inspect", "--format", `{{index .Config.Labels "com.docker.compose.project"}}`, container(t, "app")))
	backup := filepath.Join(t.TempDir(), "backup")
	here := strings.NewReplacer("make secrets\n", "", "up --build --wait", "up --no-build --wait "+*only, "up --wait", "up --no-build --wait "+*only,
		"iacontinu_app_", project+"_app_", "./build/backup", backup, "build/backup", backup)
	before := compose(t, "run", "--rm", "--no-deps", "iacontinu", "model", "list")
	run := 0
	for _, page := range []string{"docs/install.md", "docs/operations.md"} {
		text, err := os.ReadFile(filepath.Join("../../..", page))
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range docs.Executed(page, string(text), "compose") {
			script := here.Replace(block.Commands[0].Text)
			cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", script)
			cmd.Dir = "../../.."
			cmd.Env = append(os.Environ(), "COMPOSE_ENV_FILES="+*envFile)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s\n%s", block.Where, err, script, out)
			}
			run++
		}
	}
	if run != 3 {
		t.Errorf("%d blocks were run, want 3", run)
	}
	if after := compose(t, "run", "--rm", "--no-deps", "iacontinu", "model", "list"); after != before {
		t.Errorf("the versions are\n%s\nafter the restore, and were\n%s", after, before)
	}
}
