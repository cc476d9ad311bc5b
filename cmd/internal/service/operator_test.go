package service

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

func TestSchemaChange(t *testing.T) {
	t.Parallel()
	drawn := ml.Version{Name: "v1", Schema: ml.GeneratedSchema()}
	wide := ml.Version{Name: "v2", Schema: ml.Schema{
		Features: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, Target: "kind", Classes: [2]string{"rose", "tulip"},
	}}
	for _, tt := range []struct {
		before, after ml.Version
		want          string
	}{
		{drawn, drawn, ""},
		{ml.Version{}, wide, ""}, // nothing served before
		{drawn, wide, "it is another classifier; it takes 11 features (a, b, c, d, e, f, g, h, i, j, ...) for kind: rose or tulip; " +
			"the one before took 2 features (feature1, feature2) for target: 0 or 1"},
	} {
		got, _ := wording.Joined(wording.In("en"), SchemaChange(tt.before, tt.after))
		if got != tt.want {
			t.Errorf("from %s to %s: %q, want %q", tt.before.Name, tt.after.Name, got, tt.want)
		}
	}
}

// A backup that lay in what it copies would be copied into itself, and into every one after it.
// An archive has what a folder would have, and no copy stays, whether it was written to the end or not.
func TestBackupIsWrittenAsAnArchive(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, t.TempDir())
	write(t, filepath.Join(p.Folder.ModelsDir, "v1", "model.json"))
	write(t, filepath.Join(p.Folder.DatasetsDir(), "1.parquet"))
	var archive bytes.Buffer
	size, err := p.WriteBackup(t.Context(), &archive)
	if err != nil || size == 0 {
		t.Fatalf("%d bytes, %v", size, err)
	}
	var files []string
	for in := tar.NewReader(&archive); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			files = append(files, header.Name)
			size -= header.Size
		}
	}
	if want := []string{"datasets/1.parquet", "models/v1/model.json", "platform.db"}; !slices.Equal(files, want) || size != 0 {
		t.Errorf("it has %q, want %q; %d bytes are missing", files, want, size)
	}
	full := errors.New("full")
	if _, err := p.WriteBackup(t.Context(), writer(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Errorf("onto a full disk: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.WriteBackup(ctx, writer(func(b []byte) (int, error) { cancel(); return len(b), nil })); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(p.Folder.DataDir(), ".backup-*")); err != nil || len(left) > 0 {
		t.Errorf("%q stay, %v", left, err)
	}
}

func TestBackupIsKeptOutOfWhatItCopies(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := openPlatform(t, dir)
	write(t, filepath.Join(p.Folder.ModelsDir, "v1", "model.json"))
	write(t, filepath.Join(p.Folder.DatasetsDir(), "1.parquet"))
	link := filepath.Join(dir, "link")
	if err := os.Symlink(p.Folder.DatasetsDir(), link); err != nil {
		t.Fatal(err)
	}
	for _, to := range []string{
		filepath.Join(p.Folder.DatasetsDir(), "bk"), filepath.Join(p.Folder.ModelsDir, "v1", "new", "bk"), filepath.Join(link, "bk"),
	} {
		if _, err := p.Backup(t.Context(), to); err == nil || !strings.Contains(err.Error(), "name a folder elsewhere") {
			t.Errorf("to %s: %v, want that it is to be elsewhere", to, err)
		}
		for _, path := range []string{to, filepath.Join(p.Folder.ModelsDir, "v1", "new")} {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is there after a backup that was refused: %v", path, err)
			}
		}
	}
	for _, to := range []string{filepath.Join(dir, "backups", "bk"), p.Folder.DatasetsDir() + "-bk"} {
		if _, err := p.Backup(t.Context(), to); err != nil {
			t.Errorf("to %s: %v", to, err)
		}
	}
}
