package logreg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	modelFile     = "model.json"
	referenceFile = "reference.json"
	// abandoned is the age at which a temporary folder of a save is taken for one that a crash
	// left behind.
	abandoned = time.Hour
	// attempts is how often a save tries again when others replace the same folder at the same time.
	attempts = 100
)

// reference is the file with the window.
type reference struct {
	FormatVersion int         `json:"format_version"`
	Features      []string    `json:"features"`
	Columns       [][]float64 `json:"columns"`
}

// Save writes the artifact as the folder dir, whose parent must exist, and returns the digest of
// model.json. After a crash the folder is either whole or not there. Saving the same artifact again
// changes nothing; another one of the same name is replaced. Save sets FormatVersion and
// ReferenceDigest.
func (a *Artifact) Save(dir string) (digest string, err error) {
	files, err := a.files()
	if err != nil {
		return "", fmt.Errorf("logreg: save %s: %w", dir, err)
	}
	if err := saveFiles(dir, files); err != nil {
		return "", fmt.Errorf("logreg: save artifact: %w", err)
	}
	return digestOf(files[modelFile]), nil
}

// saveFiles makes dir a folder of exactly these files.
func saveFiles(dir string, files map[string][]byte) error {
	parent, base := filepath.Dir(dir), filepath.Base(dir)
	if holds(dir, files) {
		// Whoever wrote it may not have come as far as this.
		return syncPath(parent)
	}
	pattern := "." + base + ".tmp-*"
	removeAbandoned(parent, pattern)
	temporary, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	if err := writeFiles(temporary, files); err != nil {
		return err
	}
	for range attempts {
		err = replace(temporary, dir)
		// Someone who saved the same at the same time may have been faster.
		if err == nil || holds(dir, files) {
			return syncPath(parent)
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
}

// files are the contents of the artifact's folder by name.
func (a *Artifact) files() (map[string][]byte, error) {
	files := make(map[string][]byte, 2)
	a.FormatVersion, a.ReferenceDigest = FormatVersion, ""
	if a.Reference != nil {
		if err := validateReference(a.Reference, len(a.Features)); err != nil {
			return nil, err
		}
		text, err := json.Marshal(reference{FormatVersion: FormatVersion, Features: a.Features, Columns: a.Reference})
		if err != nil {
			return nil, err
		}
		files[referenceFile] = text
		a.ReferenceDigest = digestOf(text)
	}
	if err := a.validate(); err != nil {
		return nil, err
	}
	text, err := a.encode()
	files[modelFile] = text
	return files, err
}

// holds tells whether the folder has exactly these files.
func holds(dir string, files map[string][]byte) bool {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(files) {
		return false
	}
	for name, content := range files {
		there, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(there, content) {
			return false
		}
	}
	return true
}

// writeFiles writes files and their folder down to the disk.
func writeFiles(dir string, files map[string][]byte) error {
	// MkdirTemp's 0700 would hide the artifact from another account that serves it.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	for name, content := range files {
		if err := writeSynced(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	return syncPath(dir)
}

func writeSynced(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Sync(), f.Close())
}

// syncPath writes a folder's entries down to the disk.
func syncPath(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// replace renames a folder over another one. Since no folder can be renamed over one that is not
// empty, that one is moved away first; a crash between the two leaves it under a temporary name,
// and the save that was cut short is to be repeated.
func replace(from, to string) error {
	err := os.Rename(from, to)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	old := from + ".old"
	if err := os.Rename(to, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		back := os.Rename(old, to)
		if !errors.Is(back, fs.ErrExist) {
			return errors.Join(err, back)
		}
		// Another save was faster, and has replaced the old one as well.
		return errors.Join(err, os.RemoveAll(old))
	}
	return os.RemoveAll(old)
}

// removeAbandoned removes what crashed saves left behind. It is housekeeping: no failure matters.
func removeAbandoned(parent, pattern string) {
	left, _ := filepath.Glob(filepath.Join(parent, pattern))
	for _, path := range left {
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > abandoned {
			_ = os.RemoveAll(path)
		}
	}
}

// LoadArtifact reads and validates the artifact in dir, without its reference window. The error
// wraps fs.ErrNotExist if there is none, and ErrArtifact if there is something else.
func LoadArtifact(dir string) (*Artifact, error) {
	path := filepath.Join(dir, modelFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("logreg: load artifact: %w", err)
	}
	a, err := decodeArtifact(text)
	if err != nil {
		return nil, fmt.Errorf("logreg: %s: %w", path, err)
	}
	return a, nil
}

// LoadReference reads the reference window of the artifact in dir, k columns of equal length, and
// checks it against the digest in the artifact. The error wraps ErrNoReference if it has none.
func LoadReference(dir string) ([][]float64, error) {
	a, err := LoadArtifact(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, referenceFile)
	if a.ReferenceDigest == "" {
		return nil, fmt.Errorf("logreg: %s: %w", dir, ErrNoReference)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("logreg: load reference: %w", err)
	}
	columns, err := a.decodeReference(text)
	if err != nil {
		return nil, fmt.Errorf("logreg: %s: %w", path, err)
	}
	return columns, nil
}

func (a *Artifact) decodeReference(text []byte) ([][]float64, error) {
	if digest := digestOf(text); digest != a.ReferenceDigest {
		return nil, fmt.Errorf("%w: its SHA-256 is %s, and field %q of %s says %s",
			ErrArtifact, digest, "reference_digest", modelFile, a.ReferenceDigest)
	}
	var r reference
	if err := decode(text, &r); err != nil {
		return nil, err
	}
	return r.Columns, validateReference(r.Columns, len(a.Features))
}

func validateReference(columns [][]float64, k int) error {
	if len(columns) != k {
		return fmt.Errorf("%w: the reference window has %d columns for %d features", ErrArtifact, len(columns), k)
	}
	for j, column := range columns {
		if len(column) == 0 || len(column) != len(columns[0]) {
			return fmt.Errorf("%w: column %d of the reference window has %d rows, the first has %d",
				ErrArtifact, j, len(column), len(columns[0]))
		}
		if err := notFinite(j, column); err != nil {
			return fmt.Errorf("%w: reference window: %w", ErrArtifact, err)
		}
	}
	return nil
}

// Digest is the SHA-256 of model.json in dir, hexadecimal.
func Digest(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, modelFile))
	if err != nil {
		return "", fmt.Errorf("logreg: digest: %w", err)
	}
	return digestOf(text), nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
