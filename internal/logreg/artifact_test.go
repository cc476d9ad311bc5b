package logreg

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var update = flag.Bool("update", false, "rewrite testdata/model.golden.json")

func testArtifact() *Artifact {
	auc := 0.75
	return &Artifact{
		Version:  "v20240501-120000-7",
		Features: []string{"feature1", "feature2"},
		Target:   "target", Classes: [2]string{"no", "yes"},
		Model: Model{Coef: []float64{0.1 + 0.2, -3e-9}, Intercept: 1.0 / 3},
		Metrics: Metrics{
			N: 5, Accuracy: 0.8, AccuracyLow: 0.37, AccuracyHigh: 0.96, Precision: 1, Recall: 0.5, F1: 2.0 / 3,
			LogLoss: 0.4, Brier: 0.125, ROCAUC: &auc, Confusion: [2][2]int{{3, 0}, {1, 1}},
			Calibration: []CalibrationBin{{Low: 0, High: 1, MeanPredicted: 0.4, FractionPositive: 0.4, Count: 5}},
		},
		Options:    Options{C: 0.5, Balanced: true, Solver: SolverNewton},
		Seed:       math.MaxUint64,
		Fit:        FitReport{Iterations: 4, Converged: true, GradNorm: 1e-12, Objective: 7.5, Solver: SolverNewton},
		DatasetIDs: []int64{3, 4}, DataFingerprint: "abc", TrainingSamples: 20, HoldoutSamples: 5,
		CreatedAt: time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
		Reference: [][]float64{{1, 2, 3}, {0.1, -0.2, 1e-300}},
	}
}

func save(t *testing.T, a *Artifact, dir string) string {
	t.Helper()
	digest, err := a.Save(dir)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// entries are the names in a folder, hidden ones too.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestArtifactRoundTrip(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	dir := filepath.Join(models, "v1")
	a := testArtifact()
	digest := save(t, a, dir)
	got, err := LoadArtifact(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a, got, cmpopts.IgnoreFields(Artifact{}, "Reference")); diff != "" {
		t.Error(diff)
	}
	window, err := LoadReference(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(a.Reference, window); diff != "" {
		t.Error(diff)
	}
	if of, err := Digest(dir); err != nil || of != digest || len(digest) != 64 {
		t.Errorf("digest %q, %v, want %q", of, err, digest)
	}
	if diff := cmp.Diff([]string{"v1"}, entries(t, models)); diff != "" {
		t.Error("the save left something behind:", diff)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o055 != 0o055 {
		t.Errorf("another account can't read it: %v, %v", info.Mode(), err)
	}
}

func TestArtifactGolden(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "v1")
	save(t, testArtifact(), dir)
	got, err := os.ReadFile(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "model.golden.json")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Error("the format has changed: raise FormatVersion and rewrite the file by -update:", diff)
	}
}

func TestSaveIsRepeatable(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	dir := filepath.Join(models, "v1")
	first := save(t, testArtifact(), dir)
	before, err := os.Stat(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	again := save(t, testArtifact(), dir)
	after, err := os.Stat(filepath.Join(dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	if again != first || !os.SameFile(before, after) {
		t.Error("saving the same again has replaced the file")
	}

	other := testArtifact()
	other.Model.Intercept++
	other.Reference = nil
	if save(t, other, dir) == first {
		t.Error("another model has the same digest")
	}
	got, err := LoadArtifact(dir)
	if err != nil || got.Model.Intercept != other.Model.Intercept {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := LoadReference(dir); !errors.Is(err, ErrNoReference) {
		t.Errorf("got %v, want ErrNoReference", err)
	}
	if diff := cmp.Diff([]string{"v1"}, entries(t, models)); diff != "" {
		t.Error(diff)
	}
}

func TestSaveAtOnce(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	dir := filepath.Join(models, "v1")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := testArtifact().Save(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := LoadReference(dir); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"v1"}, entries(t, models)); diff != "" {
		t.Error(diff)
	}
}

func TestSaveClearsWhatACrashLeft(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	for name, age := range map[string]time.Duration{".v1.tmp-old": 2 * abandoned, ".v1.tmp-new": 0, ".v2.tmp-old": 2 * abandoned} {
		path := filepath.Join(models, name)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
		then := time.Now().Add(-age)
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	save(t, testArtifact(), filepath.Join(models, "v1"))
	if diff := cmp.Diff([]string{".v1.tmp-new", ".v2.tmp-old", "v1"}, entries(t, models)); diff != "" {
		t.Error(diff)
	}
}

func TestSaveRefuses(t *testing.T) {
	t.Parallel()
	models := t.TempDir()
	for name, c := range map[string]struct {
		change func(*Artifact)
		text   string
	}{
		"NaN":              {func(a *Artifact) { a.Model.Coef[1] = math.NaN() }, `"model.coef[1]" is NaN`},
		"infinity":         {func(a *Artifact) { a.Model.Intercept = math.Inf(1) }, `"model.intercept" is +Inf`},
		"one more":         {func(a *Artifact) { a.Features = append(a.Features, "c") }, "3 features"},
		"log loss":         {func(a *Artifact) { a.Metrics.LogLoss = math.Inf(1) }, `"metrics.log_loss" is +Inf`},
		"window":           {func(a *Artifact) { a.Reference = a.Reference[:1] }, "1 columns for 2 features"},
		"window of NaN":    {func(a *Artifact) { a.Reference[1][2] = math.NaN() }, "column 1, row 2 is NaN"},
		"window of shapes": {func(a *Artifact) { a.Reference[1] = a.Reference[1][:1] }, "has 1 rows, the first has 3"},
	} {
		a := testArtifact()
		c.change(a)
		if _, err := a.Save(filepath.Join(models, "v1")); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got %v, want %q", name, err, c.text)
		}
	}
	if _, err := testArtifact().Save(filepath.Join(models, "none", "v1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no parent: got %v", err)
	}
	if err := os.WriteFile(filepath.Join(models, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := testArtifact().Save(filepath.Join(models, "file")); err == nil {
		t.Error("saved over a file")
	}
	if diff := cmp.Diff([]string{"file"}, entries(t, models)); diff != "" {
		t.Error("what failed is left behind:", diff)
	}
}

func TestLoadArtifactNamesTheField(t *testing.T) {
	t.Parallel()
	if _, err := LoadArtifact(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no artifact: got %v", err)
	}
	good, err := os.ReadFile(filepath.Join("testdata", "model.golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, text string }{
		"format":          {`"format_version": 1`, `"format_version": 2`, `"format_version" is 2, want 1`},
		"no format":       {`"format_version": 1,`, ``, `"format_version" is 0, want 1`},
		"half a file":     {string(good[300:]), ``, "not JSON at byte"},
		"empty":           {string(good), ``, "not JSON at byte"},
		"two values":      {"}\n", "}{}\n", "not JSON at byte"},
		"a list":          {string(good), `[]`, "array"},
		"beyond range":    {`-3e-9`, `1e400`, `"model.coef" is a number 1e400`},
		"text":            {`-3e-9`, `"0"`, `"model.coef" is a string`},
		"one coefficient": {",\n      -3e-9", ``, `"model.coef" has 1 numbers for 2 features`},
		"no intercept":    {`"intercept"`, `"interzept"`, `"model.intercept" is missing`},
		"no metrics":      {`"accuracy":`, `"accuracies":`, `"metrics.accuracy" is missing`},
		"no seed":         {`"seed"`, `"sead"`, `"seed" is missing`},
		"version":         {`"v20240501-120000-7"`, `""`, `"version" is empty`},
		"target":          {`"target": "target"`, `"target": ""`, `"target" is empty`},
		"classes":         {`"yes"`, `"no"`, `"classes" are both "no"`},
		"nameless":        {`"feature2"`, `""`, `"features[1]" is empty`},
		"twice":           {`"feature2"`, `"feature1"`, `"features[1]" is "feature1" again`},
		"featureless":     {"\n    \"feature1\",\n    \"feature2\"\n  ", ``, `"features" is empty`},
		"accuracy":        {`"accuracy": 0.8`, `"accuracy": 1.2`, `"metrics.accuracy" is 1.2`},
		"roc_auc":         {`"roc_auc": 0.75`, `"roc_auc": -1`, `"metrics.roc_auc" is -1`},
		"confusion":       {"        3,\n", "        -3,\n", `"metrics.confusion[0][0]" is -3`},
		"bin":             {`"count": 5`, `"count": -5`, `"metrics.calibration[0]"`},
		"solver":          {`"solver": "newton"`, `"solver": "sag"`, `"options" are wrong`},
		"samples":         {`"training_samples": 20`, `"training_samples": -1`, `"training_samples" is -1`},
		"holdout":         {`"holdout_samples": 5`, `"holdout_samples": -1`, `"holdout_samples" is -1`},
		"time":            {`"2024-05-01T12:00:00Z"`, `"yesterday"`, `"created_at" is`},
		"digest":          {`"reference_digest": "`, `"reference_digest": "x`, `"reference_digest" is not`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
			if bytes.Equal(bad, good) {
				t.Fatal("the golden file has no such text")
			}
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, modelFile), bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadArtifact(dir)
			if !errors.Is(err, ErrArtifact) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), filepath.Join(dir, modelFile)) {
				t.Errorf("got %v, want %q", err, c.text)
			}
		})
	}
}

func TestLoadReferenceChecksItsDigest(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "v1")
	save(t, testArtifact(), dir)
	path := filepath.Join(dir, referenceFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[slices.Index(text, '2')] = '3'
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadReference(dir); !errors.Is(err, ErrArtifact) || !strings.Contains(err.Error(), "reference_digest") {
		t.Errorf("tampered: got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadReference(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removed: got %v", err)
	}
}

// FuzzLoadArtifact holds that no text makes decoding panic, and that what it lets through is whole:
// written again and read again it is the same, and it can predict.
func FuzzLoadArtifact(f *testing.F) {
	good, err := os.ReadFile(filepath.Join("testdata", "model.golden.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("0.75"), []byte("null")))
	f.Add([]byte(`{"format_version":1}`))
	f.Add([]byte(`{"format_version":1,"model":{"coef":[1e999]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := decodeArtifact(text)
		if err != nil {
			if !errors.Is(err, ErrArtifact) {
				t.Fatalf("%v is no ErrArtifact", err)
			}
			return
		}
		again, err := a.encode()
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeArtifact(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatal(diff)
		}
		if _, confidence := a.Model.Predict(make([]float64, len(a.Features))); !(confidence >= 0.5 && confidence <= 1) {
			t.Fatalf("confidence %v", confidence)
		}
	})
}
