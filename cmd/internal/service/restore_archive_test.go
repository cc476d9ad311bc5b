package service

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// archived is a backup as WriteBackup writes it, and where to restore it.
func archived(t *testing.T) (archive []byte, f Folder) {
	t.Helper()
	dir, f := backupDir(t)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := errors.Join(w.AddFS(os.DirFS(dir)), w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), f
}

// left are the hidden entries of the data folder, but for the one that says who is alone on it.
func left(t *testing.T, f Folder) (names []string) {
	t.Helper()
	for _, pattern := range []string{unpackedPattern, copyPattern, ".restore.db"} {
		found, err := filepath.Glob(filepath.Join(f.DataDir(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	return names
}

func TestRestoreAnArchive(t *testing.T) {
	t.Parallel()
	archive, f := archived(t)
	write(t, filepath.Join(f.DataDir(), ".restore-1", "x")) // of a restore that was killed
	if _, err := RestoreArchive(t.Context(), f, bytes.NewReader(archive)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{string(f.Database), filepath.Join(f.ModelsDir, "v1", "model.json"), filepath.Join(f.DatasetsDir(), "1.parquet")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if names := left(t, f); len(names) > 0 {
		t.Errorf("%q are left", names)
	}
	p, err := Open(t.Context(), f, "cli", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	unread := bytes.NewReader(archive)
	if _, err := RestoreArchive(t.Context(), f, unread); err == nil || !strings.Contains(err.Error(), "is there already") || unread.Len() != len(archive) {
		t.Errorf("on what is there: %v, with %d bytes unread of %d", err, unread.Len(), len(archive))
	}
}

func TestRestoreRefusesWhatIsNoArchive(t *testing.T) {
	t.Parallel()
	whole, f := archived(t)
	made := func(h tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&h), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, archive := range map[string][]byte{
		"empty": nil, "text": []byte("no archive"), "cut off in a file": whole[:len(whole)/2], "cut off after the last file": whole[:len(whole)-1024],
		"beyond the folder": made(tar.Header{Typeflag: tar.TypeReg, Name: "../escaped"}),
		"a link":            made(tar.Header{Typeflag: tar.TypeSymlink, Name: "models", Linkname: "/etc"}),
		"nothing in it":     make([]byte, 1024),
	} {
		if _, err := RestoreArchive(t.Context(), f, bytes.NewReader(archive)); err == nil {
			t.Errorf("%s: restored", name)
		}
		if _, err := os.Stat(string(f.Database)); !errors.Is(err, fs.ErrNotExist) || len(left(t, f)) > 0 {
			t.Errorf("%s: left is the database (%v), and %q", name, err, left(t, f))
		}
	}
	if _, err := os.Stat(filepath.Join(f.DataDir(), "escaped")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was written beyond its folder")
	}
	if _, err := RestoreArchive(t.Context(), f, io.MultiReader(bytes.NewReader(whole[:700]), bytes.NewReader(whole[700:]))); err != nil {
		t.Errorf("the whole one, afterwards: %v", err)
	}
}

// A backup that is killed leaves its copy, which goes once it is old enough to be nobody's.
func TestCopiesOfKilledBackupsGo(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, t.TempDir())
	at := func(name string) string { return filepath.Join(p.Folder.DataDir(), name) }
	fresh, yesterday := at(".backup-2"), time.Now().Add(-25*time.Hour)
	for _, dir := range []string{at(".backup-1"), at(".restore-1"), fresh} {
		write(t, filepath.Join(dir, "copy.db"))
		if dir == fresh {
			continue
		}
		if err := os.Chtimes(dir, yesterday, yesterday); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.dropCopies(); err != nil {
		t.Fatal(err)
	}
	if names := left(t, p.Folder); len(names) != 1 || names[0] != fresh {
		t.Errorf("left are %q, want %s", names, fresh)
	}
}
