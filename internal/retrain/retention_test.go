package retrain

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// addVersions adds versions 1 to n, each with a folder, the oldest first.
func (w *world) addVersions(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		name := versionName(int64(i+1), testCreated())
		w.versions = append(w.versions, ml.Version{Name: name})
		w.folder(t, name, 0)
	}
}

// folder makes a folder of that age in the folder of models.
func (w *world) folder(t *testing.T, name string, age time.Duration) {
	t.Helper()
	dir := filepath.Join(w.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	at := w.now.Add(-age)
	if err := os.Chtimes(dir, at, at); err != nil {
		t.Fatal(err)
	}
}

func (w *world) folders(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (w *world) sweep(t *testing.T, change func(*Options)) {
	t.Helper()
	if err := w.retrainer(t, change).Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRetentionOfVersions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addVersions(t, 20)
	w.versions[0].Active = true // an old one serves, activated by the earlier system
	for i, activated := range []int{1, 3, 4, 5, 6, 7} {
		w.versions[activated].ActivatedAt = w.now.Add(-time.Duration(i) * time.Minute)
	}
	w.sweep(t, func(o *Options) { o.KeepVersions = 10 })
	want := []int{1, 2, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20} // 8 served long ago
	var names []string
	for _, i := range want {
		names = append(names, versionName(int64(i), testCreated()))
	}
	w.mustLog(t, "removed a version", "version="+versionName(8, testCreated()), 4)
	var got []string
	for _, v := range w.versions {
		got = append(got, v.Name)
	}
	if !slices.Equal(got, names) {
		t.Errorf("kept %v, want %v", got, names)
	}
	slices.Sort(names)
	if folders := w.folders(t); !slices.Equal(folders, names) {
		t.Errorf("folders %v, want those of the kept versions", folders)
	}
}

func TestRetentionOfDatasets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 12 {
		w.add(ml.GeneratedSchema(), sample(10, 1, plane))
	}
	w.versions = []ml.Version{{Name: "v1", Active: true, DatasetIDs: []int64{2, 3}}}
	w.sweep(t, func(o *Options) { o.KeepDatasets = 5 })
	var got []int64
	for _, ds := range w.sets {
		got = append(got, ds.ID)
	}
	if want := []int64{2, 3, 8, 9, 10, 11, 12}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	w.mustLog(t, "removed a dataset", "dataset=1 name=set-1", 5)
}

// mustLog expects n lines of level INFO that say so, one of them with these attributes.
func (w *world) mustLog(t *testing.T, says, attrs string, n int) {
	t.Helper()
	got, found := 0, false
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "level=INFO") && strings.Contains(line, says) {
			got++
			found = found || strings.Contains(line, attrs)
		}
	}
	if got != n || !found {
		t.Errorf("%d lines say %q, want %d and one with %q:\n%s", got, says, n, attrs, w.log)
	}
}

// What somebody imported is nobody's to remove, and takes no place among the generated datasets.
func TestRetentionKeepsImportedDatasets(t *testing.T) {
	t.Parallel()
	for name, imported := range map[string]int{"few": 3, "more than one look finds": 2*sweepBatch + 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			rows := sample(10, 1, plane)
			w.add(flowers(), rows)
			w.sets[0].Source = ml.SourceImported
			for range 4 {
				w.add(ml.GeneratedSchema(), rows)
			}
			for range imported {
				w.add(flowers(), rows)
				w.sets[len(w.sets)-1].Source = ml.SourceImported
			}
			w.sweep(t, func(o *Options) { o.KeepDatasets = 2 })
			var generated []int64
			left := 0
			for _, ds := range w.sets {
				if ds.Source == ml.SourceImported {
					left++
				} else {
					generated = append(generated, ds.ID)
				}
			}
			if left != imported+1 || !slices.Equal(generated, []int64{4, 5}) {
				t.Errorf("kept %d imported ones and the generated %v, want all %d and [4 5]", left, generated, imported+1)
			}
		})
	}
}

func TestRetentionOfFolders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addVersions(t, 1)
	owned := w.versions[0].Name
	w.folder(t, owned, 48*time.Hour)
	keep := []string{"my-notes", "v2-final", "v20260504-030201-55", owned}
	w.folder(t, "my-notes", 48*time.Hour)
	w.folder(t, "v2-final", 48*time.Hour)
	w.folder(t, "v20260504-030201-55", 59*time.Minute) // a retraining is at it
	w.folder(t, "v20260504-030201-66", 61*time.Minute) // killed after the save
	keep = append(keep, ".v20260504-030201-55.tmp-9")
	w.folder(t, ".v20260504-030201-55.tmp-9", 9*time.Minute) // a save is at it
	w.folder(t, ".v20260504-030201-77.tmp-123", 11*time.Minute)
	w.sweep(t, nil)
	slices.Sort(keep)
	if got := w.folders(t); !slices.Equal(got, keep) {
		t.Errorf("kept %v, want %v", got, keep)
	}
}

// A retention that was killed between a version and its folder leaves the folder to the next one.
func TestRetentionGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stored := w.run(t, 1, ml.RetrainArgs{Generate: true}).Candidate
	running := versionName(2, testCreated())
	w.folder(t, running, time.Minute) // saved, and not stored yet
	w.folder(t, stored, time.Minute)
	w.sweep(t, nil)
	if got := w.folders(t); !slices.Equal(got, []string{stored, running}) {
		t.Fatalf("folders %v, want %s and %s", got, stored, running)
	}
	w.versions = nil
	w.sweep(t, nil)
	if got := w.folders(t); !slices.Equal(got, []string{running}) {
		t.Errorf("folders %v, want %s alone", got, running)
	}
	w.mustLog(t, "removed a folder", "folder="+stored, 1)
}

func TestSweepOfNothing(t *testing.T) {
	t.Parallel()
	newWorld(t).sweep(t, nil)
}

// A version of the earlier system has a name that may be anything; its folder is not ours to remove.
func TestForeignVersionNamesRemoveNoFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.versions = []ml.Version{{Name: "../precious"}}
	for i := range 3 {
		w.versions = append(w.versions, ml.Version{Name: fmt.Sprintf("v%d", i)})
	}
	precious := filepath.Join(filepath.Dir(w.dir), "precious")
	if err := os.MkdirAll(precious, 0o755); err != nil {
		t.Fatal(err)
	}
	w.sweep(t, func(o *Options) { o.KeepVersions = 3 })
	if len(w.versions) != 3 {
		t.Errorf("%d versions left, want 3", len(w.versions))
	}
	if _, err := os.Stat(precious); err != nil {
		t.Errorf("a folder outside of the models is gone: %v", err)
	}
}
