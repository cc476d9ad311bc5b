package kuma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// key makes the API key once: the server tells it only then. One whose file is lost, or is of another
// key, is made anew, and the older ones are removed since nobody knows them.
func (p *provisioning) key(ctx context.Context) error {
	if p.o.KeyFile == "" {
		return nil
	}
	kept, err := keptKey(p.o.KeyFile)
	if err != nil {
		return err
	}
	if there := named(p.keys, KeyName); there != nil && there.text("status") == "active" && there.id() == kept {
		return nil
	}
	made, err := p.makeKey(ctx, kept)
	if err != nil {
		return fmt.Errorf("API key %s: %w", KeyName, err)
	}
	p.did("made the API key %s, in %s", KeyName, p.o.KeyFile)
	if err := p.removeBefore(ctx, made); err != nil {
		return fmt.Errorf("API key %s: remove the old one: %w", KeyName, err)
	}
	return nil
}

// keyFolder makes the folder of the key's file, and sees that the file can be read, before anything is made.
func (o Options) keyFolder() error {
	if o.KeyFile == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(o.KeyFile), 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	_, err := keptKey(o.KeyFile)
	return err
}

// makeKey opens the file first, so that no key is made that can't be kept. It returns the key's number.
func (p *provisioning) makeKey(ctx context.Context, kept int) (number int, err error) {
	file, err := os.CreateTemp(filepath.Dir(p.o.KeyFile), ".key-*") // 0600
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	defer func() { // it is gone if it was moved to its place
		if gone := os.Remove(file.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	var answer struct {
		Key string `json:"key"`
		ID  int    `json:"keyID"`
	}
	err = p.call(ctx, &answer, "addAPIKey", map[string]any{"name": KeyName, "expires": nil, "active": true})
	if err != nil {
		return 0, errors.Join(err, file.Close())
	}
	if _, err = file.WriteString(answer.Key); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = keep(file.Name(), p.o.KeyFile, answer.ID, kept)
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return answer.ID, nil
}

// keep moves a new key to its place, where key number before was. If another run has meanwhile put a newer
// one there, that stays: that run removes this one.
func keep(file, path string, number, before int) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer folder.Close() // which ends the lock
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	now, err := keptKey(path)
	if err != nil || now != before && now > number {
		return err
	}
	return os.Rename(file, path)
}

// removeBefore removes the keys that are older than ours: the one whose file is lost, and that of another
// run at the same time, which saw no key either. Of two such runs the one with the newer key sees both.
func (p *provisioning) removeBefore(ctx context.Context, ours int) error {
	var keys []record
	err := p.until(ctx, "the list with the new key", func() bool {
		keys = nil
		return json.Unmarshal(p.events["apiKeyList"], &keys) == nil &&
			slices.ContainsFunc(keys, func(r record) bool { return r.id() >= ours })
	})
	if err != nil {
		return err
	}
	for _, r := range keys {
		if r.text("name") != KeyName || r.id() >= ours {
			continue
		}
		if err := p.call(ctx, nil, "deleteAPIKey", r.id()); err != nil {
			return err
		}
	}
	return nil
}

// keptKey is the number of the key in the file, uk<number>_<secret>; 0 if there is none.
func keptKey(path string) (int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	number, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(string(text)), "uk"), "_")
	id, _ := strconv.Atoi(number) // what is no key of ours has no number that the server gave
	return id, nil
}
