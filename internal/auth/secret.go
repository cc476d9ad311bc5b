package auth

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// LoadOrCreateSecret returns the signing secret kept in the file at path, which it makes if it is
// not there. Processes that start at the same moment get the same secret. The file must be readable
// by its owner only.
func LoadOrCreateSecret(path string) ([]byte, error) {
	text, err := loadOrCreate(path, 32)
	if err != nil {
		return nil, err
	}
	if len(text) < MinSecret {
		return nil, fmt.Errorf("auth: secret in %s has %d bytes, want at least %d", path, len(text), MinSecret)
	}
	return []byte(text), nil
}

// loadOrCreate returns the text of a private file. If there is none, it is made with n random bytes
// in hexadecimal: written under another name first and then linked, which fails if another process
// was faster, so that nobody ever reads half a file.
func loadOrCreate(path string, n int) (string, error) {
	text, err := readPrivate(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return text, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("auth: make folder: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return "", fmt.Errorf("auth: make private file: %w", err)
	}
	defer os.Remove(draft.Name())
	random := make([]byte, n)
	rand.Read(random) // never fails
	_, err = draft.WriteString(hex.EncodeToString(random) + "\n")
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err != nil {
		return "", fmt.Errorf("auth: write private file: %w", err)
	}
	if err := os.Link(draft.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("auth: name private file: %w", err)
	}
	return readPrivate(path)
}

func readPrivate(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("auth: open private file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("auth: look at private file: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return "", fmt.Errorf("auth: %s is open to others (mode %04o): run chmod 600 on it", path, info.Mode().Perm())
	}
	if info.Size() > 4096 {
		return "", fmt.Errorf("auth: %s has %d bytes, want at most 4096", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("auth: read private file: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
