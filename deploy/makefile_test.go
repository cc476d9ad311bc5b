package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestATagIsNoCommand: who may push a tag may not run what its name says on the machine that makes the release.
func TestATagIsNoCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	const tag = `v1';touch${IFS}run;'"$(touch${IFS}run)`
	write(t, filepath.Join(dir, "Makefile"), string(makefile), 0o600)
	write(t, filepath.Join(dir, "CHANGELOG.md"), "## [2] - later\n\n- not this\n\n## ["+strings.TrimPrefix(tag, "v")+"] - now\n\n- this\n", 0o600)
	for _, args := range [][]string{
		{"git", "init", "--quiet"},
		{"git", "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--allow-empty", "--message", "first"},
		{"git", "tag", tag},
		{"make", "release", "GORELEASER=/bin/true", "CYCLONEDX=/bin/true"},
		{"make", "build", "GO=echo", "COMMANDS=api"},
	} {
		cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
		if args[1] == "build" && !strings.Contains(string(out), "boot.version="+tag) {
			t.Errorf("the programs are of another version:\n%s", out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "run")); err == nil {
		t.Error("the tag was run")
	}
	if notes, err := os.ReadFile(filepath.Join(dir, "build/release-notes.md")); err != nil || string(notes) != "\n- this\n" {
		t.Errorf("the notes are %q, %v", notes, err)
	}
}
