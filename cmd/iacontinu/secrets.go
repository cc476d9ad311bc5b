package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// shareSecrets copies each secret for the one user who reads it. Containers have users of their own, who may not
// read files that belong to a user of the machine, as secrets have to.
func shareSecrets(c *call, args []string) error {
	words, err := c.parse(args, 3, len(args))
	if err != nil {
		return err
	}
	from, err := os.OpenRoot(words[0])
	if err != nil {
		return missingSecrets(err)
	}
	defer from.Close() // it was only read
	for _, word := range words[2:] {
		name, id, _ := strings.Cut(word, ":")
		uid, err := strconv.ParseUint(id, 10, 31)
		if err != nil || name == "" {
			return fmt.Errorf("%q is not NAME:UID: %w", word, errUsage)
		}
		secret, err := from.ReadFile(name)
		if err != nil {
			return missingSecrets(err)
		}
		if len(strings.TrimSpace(string(secret))) == 0 {
			return fmt.Errorf("the secret %s is empty: remove it, and make secrets makes another", name)
		}
		if err := give(secret, filepath.Join(words[1], name), int(uid)); err != nil {
			return err
		}
	}
	return nil
}

func missingSecrets(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: make secrets makes what is missing", err)
	}
	return err
}

// give writes a file that one user may read and nobody change. It takes the place of an older one at once.
func give(content []byte, path string, uid int) error {
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = draft.Write(content)
	err = errors.Join(err, draft.Chmod(0o400), draft.Chown(uid, uid), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(draft.Name()))
	}
	return nil
}
