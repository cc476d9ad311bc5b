package auth

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestSecretIsMadeOnceByMany(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(dir, "jwt-secret")
	secrets := make([][]byte, 20)
	var all sync.WaitGroup
	for i := range secrets {
		all.Go(func() {
			var err error
			if secrets[i], err = LoadOrCreateSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range secrets {
		if !bytes.Equal(s, secrets[0]) || len(s) < MinSecret {
			t.Fatal("two starts got different secrets, or too short ones")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("%d files in the folder, want the secret alone", len(left))
	}
	other, _ := LoadOrCreateSecret(filepath.Join(dir, "other"))
	if bytes.Equal(other, secrets[0]) {
		t.Error("two secrets are equal")
	}
}

func TestSecretFileIsChecked(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	for name, tt := range map[string]struct {
		text string
		mode os.FileMode
		want string
	}{
		"readable by all":   {secret, 0o644, "chmod 600"},
		"readable by group": {secret, 0o640, "chmod 600"},
		"too short":         {secret[:31], 0o600, "want at least 32"},
		"empty":             {"", 0o600, "want at least 32"},
		"huge":              {strings.Repeat(secret, 200), 0o600, "at most 4096"},
	} {
		path := filepath.Join(t.TempDir(), "jwt-secret")
		if err := os.WriteFile(path, []byte(tt.text), tt.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateSecret(path)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		} else if strings.Contains(err.Error(), secret[:16]) {
			t.Errorf("%s: the error holds the secret", name)
		}
	}
}
