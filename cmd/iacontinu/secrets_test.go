package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsAreShared(t *testing.T) {
	t.Parallel()
	from, to := t.TempDir(), t.TempDir()
	share := func(words ...string) (errs string, code int) {
		_, errs, code = typed(t, strings.Join(append([]string{"secrets share", from, to}, words...), " "))
		return errs, code
	}
	me := fmt.Sprint(os.Getuid())
	if errs, code := share("key:" + me); code != 1 || !strings.Contains(errs, "make secrets") {
		t.Errorf("without the secret: exit code %d, %q", code, errs)
	}
	for _, text := range []string{"first", "second"} { // again: the newer one
		if err := os.WriteFile(filepath.Join(from, "key"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if errs, code := share("key:" + me); code != 0 {
			t.Fatalf("exit code %d, %q", code, errs)
		}
		got, err := os.ReadFile(filepath.Join(to, "key"))
		if info, _ := os.Stat(filepath.Join(to, "key")); err != nil || string(got) != text || info.Mode().Perm() != 0o400 {
			t.Errorf("it is %q, %v, %v", got, info, err)
		}
	}
	if err := os.WriteFile(filepath.Join(from, "empty"), []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for word, says := range map[string]string{"empty:" + me: "empty", "key": "NAME:UID", "../key:" + me: "escapes"} {
		if errs, code := share(word); code == 0 || !strings.Contains(errs, says) {
			t.Errorf("%s: exit code %d, %q", word, code, errs)
		}
	}
	if left, err := os.ReadDir(to); err != nil || len(left) != 1 {
		t.Errorf("%v is left, %v", left, err)
	}
}
