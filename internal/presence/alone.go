package presence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"iacontinu/internal/ml"
)

// gate is the file that each member locks together with the others, and who is Alone against all. It is
// never removed, so that all speak of the same file.
const gate = ".gate"

// Alone gives dir to the caller until Close: nobody can Join. If someone lives there, the error has
// CodeConflict and names him.
func Alone(dir string) (io.Closer, error) {
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o750); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	held, err := enter(dir, unix.LOCK_EX)
	if errors.Is(err, unix.EWOULDBLOCK) {
		members, err := Members(dir)
		if len(members) == 0 {
			members = []string{"another process"}
		}
		return nil, errors.Join(ml.Errorf(ml.CodeConflict, "%s works on %s: stop it first", strings.Join(members, ", "), dir), err)
	}
	if err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	return held, nil
}

// enter locks the gate, or fails at once with EWOULDBLOCK.
func enter(dir string, how int) (io.Closer, error) {
	f, err := os.OpenFile(filepath.Join(dir, folder, gate), os.O_RDONLY|os.O_CREATE, 0o640)
	if err != nil {
		return nil, err
	}
	if err := flock(f, how|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
