package deploy

import (
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// secrets calls deploy/docker/secrets in a folder and returns what it prints.
func secrets(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	script, err := filepath.Abs("docker/secrets")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), script, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustSecrets(t *testing.T, dir string, args ...string) {
	t.Helper()
	if out, err := secrets(t, dir, args...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func write(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// files are the texts in a folder by their names; none may be open to others, nor may the folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", info, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := e.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
		all[e.Name()] = string(text)
	}
	return all
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustSecrets(t, dir)
	made := files(t, filepath.Join(dir, "secrets"))
	different := map[string]bool{}
	for name, text := range made {
		if len(text) < 33 || different[text] {
			t.Errorf("%s is %q", name, text)
		}
		different[text] = true
	}
	if len(made) != 7 || !strings.HasSuffix(made["kuma_push_url"], "/"+made["kuma_push_token"]) {
		t.Errorf("they are %q", slices.Sorted(maps.Keys(made)))
	}
	// Rights that somebody widened are taken back, and what is there stays.
	if err := os.Chmod(filepath.Join(dir, "secrets"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "secrets", "admin_password"), "mine\n", 0o644)
	made["admin_password"] = "mine\n"
	mustSecrets(t, dir)
	if again := files(t, filepath.Join(dir, "secrets")); !maps.Equal(again, made) {
		t.Errorf("they were %q and are %q", made, again)
	}
	if got, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || string(got) != "SECRETS_DIR=./secrets\n" {
		t.Errorf(".env is %q, %v", got, err)
	}
}

// TestSecretsTellCompose: .env names the folder of which make secrets speaks, whatever else it holds.
func TestSecretsTellCompose(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ before, after string }{
		"no line":           {"A=1\n", "A=1\nSECRETS_DIR=./secrets\n"},
		"no newline":        {"A=1", "A=1\nSECRETS_DIR=./secrets\n"},
		"a line":            {"SECRETS_DIR=./secrets\nA=1\n", "SECRETS_DIR=./secrets\nA=1\n"},
		"one that counts":   {"SECRETS_DIR=/old\nSECRETS_DIR=./secrets # ours\n", "SECRETS_DIR=/old\nSECRETS_DIR=./secrets # ours\n"},
		"in quotes":         {"export SECRETS_DIR = \"./secrets\"\r\n", "export SECRETS_DIR = \"./secrets\"\r\n"},
		"taken as a volume": {"SECRETS_DIR=secrets\n", "SECRETS_DIR=secrets\nSECRETS_DIR=./secrets\n"},
		"a comment":         {"# SECRETS_DIR=/old\n", "# SECRETS_DIR=/old\nSECRETS_DIR=./secrets\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, ".env"), test.before, 0o600)
			mustSecrets(t, dir)
			if got, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || string(got) != test.after {
				t.Errorf(".env is %q, %v; want %q", got, err, test.after)
			}
		})
	}
}

// TestSecretsOfAnotherFolder: who wants them elsewhere is neither overruled nor told a password that does not count.
func TestSecretsOfAnotherFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".env"), "SECRETS_DIR=build/other", 0o600)
	out, err := secrets(t, dir)
	if err == nil || !strings.Contains(out, "build/other") || !strings.Contains(out, ".env") {
		t.Errorf("it says %q, %v", out, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets")); err == nil {
		t.Error("it made secrets that Compose does not take")
	}
	mustSecrets(t, dir, "build/other")
	if n := len(files(t, filepath.Join(dir, "build/other"))); n != 7 {
		t.Errorf("it made %d", n)
	}
	if got, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || string(got) != "SECRETS_DIR=build/other" {
		t.Errorf(".env is %q, %v", got, err)
	}
}

// TestSecretsLeadNowhere: a link would have a secret written, or read, somewhere else.
func TestSecretsLeadNowhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	for name, text := range map[string]string{"empty": "", "full": "theirs\n"} {
		write(t, elsewhere, text, 0o644)
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(folder, "kuma_password")); err != nil {
			t.Fatal(err)
		}
		out, err := secrets(t, dir, folder)
		if err == nil || !strings.Contains(out, "kuma_password is a symbolic link") {
			t.Errorf("%s: it says %q, %v", name, out, err)
		}
		if got, _ := os.ReadFile(elsewhere); string(got) != text {
			t.Errorf("%s: the file is %q now", name, got)
		}
	}
}

// TestSecretsOfATest: make compose-test has a folder of its own, and what Compose takes else goes on to count.
func TestSecretsOfATest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustSecrets(t, dir, filepath.Join(dir, "build"))
	if _, err := os.Stat(filepath.Join(dir, ".env")); err == nil {
		t.Error("it made .env")
	}
	mustSecrets(t, dir)
	if got, err := os.ReadFile(filepath.Join(dir, ".env")); err != nil || string(got) != "SECRETS_DIR=./secrets\n" {
		t.Errorf(".env is %q, %v", got, err)
	}
}
