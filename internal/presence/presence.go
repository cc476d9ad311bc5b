// Package presence tells which processes live on a data folder. Each member holds a lock on a file
// of its own under run/ for as long as it lives; the system gives the lock back however the process
// ends, kill -9 included, so that no clock and no heartbeat is asked whether it is still there.
//
// A lock file may outlive its process. It means nothing without its lock, and the next member to
// join removes it.
package presence

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"iacontinu/internal/ml"
)

const (
	folder = "run"
	suffix = ".lock"
)

// Member is a process, or a part of one, that is present on a folder until Close or until it dies.
type Member struct {
	id   string
	path string
	file *os.File
	gate io.Closer // shared by all who joined; nil for the holder of a name
}

// Join makes the caller present on dir under a new id, which starts with name and is never used
// again. While someone is Alone there, the error has CodeConflict.
func Join(dir, name string) (_ *Member, err error) {
	if err := prepare(dir, name); err != nil {
		return nil, fmt.Errorf("presence: join: %w", err)
	}
	gate, err := enter(dir, unix.LOCK_SH)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, ml.Errorf(ml.CodeConflict, "another process, such as a restore, has %s for itself: wait until it has ended", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("presence: join: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, gate.Close())
		}
	}()
	prune(dir)
	for {
		var random [6]byte
		_, _ = rand.Read(random[:]) // never fails
		id := fmt.Sprintf("%s-%d-%s", name, os.Getpid(), hex.EncodeToString(random[:]))
		m, err := lock(dir, id, os.O_EXCL, unix.LOCK_EX)
		if errors.Is(err, errGone) || errors.Is(err, fs.ErrExist) {
			continue // another member took the file for a dead one's before it was locked
		}
		if err != nil {
			return nil, fmt.Errorf("presence: join: %w", err)
		}
		m.gate = gate
		return m, nil
	}
}

// exclusiveWait is how long Exclusive looks again before it takes the lock for another's: a process
// that asks whether someone is alive holds it for a moment too.
const exclusiveWait = 100 * time.Millisecond

// Exclusive makes the caller present on dir under the id name, which one process at a time can
// have. If another has it, the error has CodeConflict and names that process.
func Exclusive(dir, name string) (*Member, error) {
	if err := prepare(dir, name); err != nil {
		return nil, fmt.Errorf("presence: %w", err)
	}
	for deadline := time.Now().Add(exclusiveWait); ; {
		m, err := lock(dir, name, 0, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, unix.EWOULDBLOCK) && time.Now().After(deadline):
			return nil, ml.Errorf(ml.CodeConflict, "%q runs on %s already, as %s", name, dir, holder(dir, name))
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, errGone):
			return nil, fmt.Errorf("presence: %w", err)
		}
		time.Sleep(time.Millisecond)
	}
}

// Alive reports whether the member with the id still lives on dir.
func Alive(dir, id string) (bool, error) {
	if id == "" {
		return false, nil
	}
	if err := checkName(id); err != nil {
		return false, fmt.Errorf("presence: %w", err)
	}
	alive, err := probe(pathOf(dir, id))
	if err != nil {
		return false, fmt.Errorf("presence: is %s alive: %w", id, err)
	}
	return alive, nil
}

// ID is the member's name among all that live on the folder.
func (m *Member) ID() string { return m.id }

// Note leaves a word for others, in the place of the one before.
func (m *Member) Note(text string) error {
	own := strconv.Itoa(os.Getpid()) + " " + m.id + "\n"
	if _, err := m.file.WriteAt([]byte(own+text+"\n"), 0); err != nil {
		return fmt.Errorf("presence: note: %w", err)
	}
	if err := m.file.Truncate(int64(len(own) + len(text) + 1)); err != nil {
		return fmt.Errorf("presence: note: %w", err)
	}
	return nil
}

// Note is the word that a member left, empty if there is none.
func Note(dir, id string) string {
	text, err := os.ReadFile(pathOf(dir, id))
	if err != nil || checkName(id) != nil {
		return ""
	}
	_, note, _ := strings.Cut(string(text), "\n")
	note, _, _ = strings.Cut(note, "\n")
	return note
}

// Close ends the member's presence.
func (m *Member) Close() error {
	// The file goes before the lock: who waits for the lock then finds the file gone.
	err := stillThere(m.file, m.path)
	if err == nil {
		err = os.Remove(m.path)
	}
	if errors.Is(err, errGone) {
		err = nil // the folder was emptied under us
	}
	err = errors.Join(err, m.file.Close())
	if m.gate != nil {
		err = errors.Join(err, m.gate.Close())
	}
	if err != nil {
		return fmt.Errorf("presence: leave: %w", err)
	}
	return nil
}

func pathOf(dir, id string) string { return filepath.Join(dir, folder, id+suffix) }

func prepare(dir, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	return os.MkdirAll(filepath.Join(dir, folder), 0o750)
}

func checkName(name string) error {
	if name == "" || name[0] == '.' || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q is not the name of a member", name)
	}
	return nil
}

// errGone is the end of a file that was removed between its opening and its locking.
var errGone = errors.New("the lock file was removed")

// lock opens and locks a member's file and writes into it whose it is.
func lock(dir, id string, flag, how int) (_ *Member, err error) {
	path := pathOf(dir, id)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|flag, 0o640)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if err := flock(f, how); err != nil {
		return nil, err
	}
	if err := stillThere(f, path); err != nil {
		return nil, err
	}
	if err := f.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+" "+id+"\n"), 0); err != nil {
		return nil, err
	}
	return &Member{id: id, path: path, file: f}, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// stillThere fails if the path does not lead to the open file any more: a lock on it would then be
// a lock that no one else can see.
func stillThere(f *os.File, path string) error {
	open, err := f.Stat()
	if err != nil {
		return err
	}
	onDisk, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(open, onDisk) {
		return errGone
	}
	return err
}

// probe reports whether someone holds the lock on a file. It asks for a shared lock, so that two
// who probe don't take each other for the holder.
func probe(path string) (held bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = flock(f, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// prune removes the files of dead members. What it can't remove, the next one will.
func prune(dir string) {
	paths, _ := filepath.Glob(filepath.Join(dir, folder, "*-*-*"+suffix)) // the pattern is well-formed
	for _, path := range paths {
		removeDead(path)
	}
}

// removeDead removes a file whose lock no one holds. It holds the lock meanwhile: a member that is
// just joining with the file then finds it gone, and takes another.
func removeDead(path string) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	if flock(f, unix.LOCK_SH|unix.LOCK_NB) == nil && stillThere(f, path) == nil {
		_ = os.Remove(path)
	}
}

// holder says which process holds a name.
func holder(dir, name string) string {
	text, err := os.ReadFile(pathOf(dir, name))
	pid, _, ok := strings.Cut(string(text), " ")
	if err != nil || !ok {
		return "another process"
	}
	return "process " + pid
}
