//go:build integration

package composetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iacontinu/docs"
)

// documented types in what docs/install.md and docs/operations.md say of Compose: a backup and its restore, a secret's
// rotation. Only what they build is there already, and the project has the name of the test's.
func documented(t *testing.T) {
	folder := workingFolder(t)
	before := compose(t, "run", "--rm", "--no-deps", "iacontinu", "model", "list")
	key := secret(t, "jwt_secret_key")
	run := 0
	for _, page := range []string{"docs/install.md", "docs/operations.md"} {
		for _, block := range blocks(t, page, "compose") {
			typeIn(t, folder, block.Where, block.Commands[0].Text)
			run++
		}
	}
	if run != 4 {
		t.Errorf("%d blocks were run, want 4", run)
	}
	if after := compose(t, "run", "--rm", "--no-deps", "iacontinu", "model", "list"); after != before {
		t.Errorf("the versions are\n%s\nafter the restore, and were\n%s", after, before)
	}
	if secret(t, "jwt_secret_key") == key {
		t.Error("the key is the old one")
	}
	if out, errs, err := try(t, "compose", "--project-directory", "../../..", "--env-file", *envFile, "run", "--rm", "iacontinu", "predict", "0.5", "0.5"); err != nil {
		t.Errorf("with a token of the new key: %v\n%s%s", err, out, errs) // the API takes only those of its own
	}
	if *only == "" || slices.Contains(strings.Fields(*only), "prefect-postgres") {
		for _, block := range blocks(t, "docs/operations.md", "postgres") {
			typeIn(t, folder, block.Where, "rm secrets/prefect_database_password && make secrets\n"+
				block.Commands[0].Text+"docker compose up --wait --force-recreate\n")
		}
	}
}

func blocks(t *testing.T, page, mark string) []docs.Block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../..", page))
	if err != nil {
		t.Fatal(err)
	}
	return docs.Executed(page, string(text), mark)
}

// workingFolder is the tree with the test's settings and secrets, and nothing of what its owner has made in it.
func workingFolder(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(t.TempDir(), "iacontinu")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(*envFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".env"), append(settings, "SECRETS_DIR=./secrets\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	links := map[string]string{"secrets": secretsFolder(t)}
	for _, entry := range entries {
		if !slices.Contains([]string{".git", ".env", "secrets", "build"}, entry.Name()) {
			links[entry.Name()] = filepath.Join(root, entry.Name())
		}
	}
	for name, to := range links {
		if err := os.Symlink(to, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func typeIn(t *testing.T, folder, where, text string) {
	t.Helper()
	project := inspect(t, "app", `{{index .Config.Labels "com.docker.compose.project"}}`)
	script := strings.NewReplacer("up --build --wait", "up --no-build --wait "+*only, "up --wait", "up --no-build --wait "+*only,
		"iacontinu_app_", project+"_app_").Replace(text)
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", where, err, script, out)
	}
}
