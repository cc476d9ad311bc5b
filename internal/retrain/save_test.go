package retrain

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

func TestErrorsOfTheDiskHaveTheirCode(t *testing.T) {
	t.Parallel()
	for cause, want := range map[error]ml.Code{
		syscall.ENOSPC: ml.CodeStorageFull,
		syscall.EDQUOT: ml.CodeStorageFull,
		syscall.EACCES: ml.CodeNotWritable,
		syscall.EROFS:  ml.CodeNotWritable,
		syscall.EIO:    "",
	} {
		err := stored(fmt.Errorf("save: %w", &os.PathError{Op: "write", Path: "model.json", Err: cause}))
		if ml.CodeOf(err) != want || !errors.Is(err, cause) {
			t.Errorf("%v became %v with code %q, want %q and the cause", cause, err, ml.CodeOf(err), want)
		}
	}
	if err := stored(nil); err != nil {
		t.Errorf("got %v of no error", err)
	}
}

// A folder that nobody makes writable meanwhile is not worth another try, and whoever asked learns which it is.
func TestUnwritableFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.dir = "/sys" // where even root makes nothing
	err := w.retrainer(t, nil).Run(t.Context(), 1, testCreated(), ml.RetrainArgs{Generate: true}, nil)
	if coded := (*ml.Error)(nil); !errors.As(err, &coded) || coded.Code != ml.CodeNotWritable || !strings.Contains(coded.Message, "MODELS_DIR") {
		t.Errorf("got %v, want not writable, naming MODELS_DIR", err)
	}
	if len(w.versions) != 0 {
		t.Error("a version was stored")
	}
}

// Without space for the artifact a job says so, leaves nothing, and succeeds when there is room. It
// takes the right to mount a small disk.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", w.dir).CombinedOutput(); err != nil {
		t.Skipf("no small disk can be mounted: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", w.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %s", out)
		}
	})
	filler := filepath.Join(w.dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 56<<10), 0o600); err != nil { // leaves two pages
		t.Fatal(err)
	}
	err := w.retrainer(t, nil).Run(t.Context(), 1, testCreated(), ml.RetrainArgs{Generate: true}, nil)
	if ml.CodeOf(err) != ml.CodeStorageFull || !strings.Contains(fmt.Sprint(err), "disk is full") {
		t.Fatalf("got %v, want storage full", err)
	}
	if got := w.folders(t); len(got) != 1 {
		t.Errorf("%v in the folder of models, want the filler alone", got)
	}
	if len(w.versions) != 0 {
		t.Error("a version was stored")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	got := w.run(t, 1, ml.RetrainArgs{Generate: true})
	if _, err := logreg.LoadReference(filepath.Join(w.dir, got.Version)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}
