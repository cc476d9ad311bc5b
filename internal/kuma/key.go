package kuma

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// key makes the API key once: the server tells it only then. One whose file is lost, or is of another
// key, is made anew, and the old one is removed since nobody knows it.
func (p *provisioning) key(ctx context.Context) error {
	if p.o.KeyFile == "" {
		return nil
	}
	there := named(p.keys, KeyName)
	kept, err := keptKey(p.o.KeyFile)
	if err != nil {
		return fmt.Errorf("API key %s: %w", KeyName, err)
	}
	if there != nil && there.text("status") == "active" && there.id() == kept {
		return nil
	}
	if err := p.makeKey(ctx); err != nil {
		return fmt.Errorf("API key %s: %w", KeyName, err)
	}
	p.did("made the API key %s, in %s", KeyName, p.o.KeyFile)
	if there == nil {
		return nil
	}
	if err := p.call(ctx, nil, "deleteAPIKey", there.id()); err != nil {
		return fmt.Errorf("API key %s: remove the old one: %w", KeyName, err)
	}
	return nil
}

// makeKey opens the file first, so that no key is made that can't be kept.
func (p *provisioning) makeKey(ctx context.Context) (err error) {
	file, err := os.CreateTemp(filepath.Dir(p.o.KeyFile), ".key-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	var answer struct {
		Key string `json:"key"`
	}
	err = p.call(ctx, &answer, "addAPIKey", map[string]any{"name": KeyName, "expires": nil, "active": true})
	if err == nil {
		_, err = file.WriteString(answer.Key)
	}
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), p.o.KeyFile)
}

// keptKey is the number of the key in the file, uk<number>_<secret>; 0 if there is none.
func keptKey(path string) (int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(text)), "uk"), "_")
	id, _ := strconv.Atoi(number) // what is no key of ours has no number that the server gave
	return id, nil
}
