package datasets

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
	"iacontinu/internal/tabular"
)

func TestGenerate(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	b := setup(t, func(o *Options) { o.Registerer = reg })
	var progress []int
	ds, err := b.Generate(t.Context(), GenerateSpec{Samples: 2500, Seed: 7, Drift: synth.Concept, Magnitude: 0.5}, func(done int) {
		progress = append(progress, done)
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1000, 2000, 2500}, progress); d != "" {
		t.Error(d)
	}
	g, err := synth.New(synth.Spec{Seed: 7, Hour: 12, Drift: synth.Concept, Magnitude: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	want := newBatch(2500)
	g.Next(want.Features[0], want.Features[1], want.Target)
	if d := cmp.Diff(want, mustRead(t, b, ds, 0)); d != "" {
		t.Error("the file:", d)
	}
	if d := cmp.Diff(want, b.catalogue.samples[ds.ID]); d != "" {
		t.Error("the database:", d)
	}
	if b.catalogue.reads != 0 {
		t.Error("the rows came from the database")
	}
	ones := 0
	for _, y := range want.Target {
		ones += int(y)
	}
	fingerprint := tabular.NewFingerprint(2)
	fingerprint.Add(tabular.Rows(want))
	wantDS := ml.Dataset{
		ID: 1, Samples: 2500, Hour: 12, CreatedAt: noon, State: ml.DatasetReady, Source: ml.SourceGenerated,
		Schema: ml.GeneratedSchema(), ClassCounts: [2]int{2500 - ones, ones}, Drift: synth.Concept, Seed: 7, Builder: "worker-1-ab",
		Fingerprint: fingerprint.Sum(tabular.Schema(ml.GeneratedSchema()), [2]string{"0", "1"}),
	}
	if d := cmp.Diff(wantDS, ds); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(wantDS, b.catalogue.datasets[ds.ID]); d != "" {
		t.Error("the catalogue:", d)
	}
	if n := testutil.ToFloat64(b.metrics.generated); n != 2500 {
		t.Errorf("%v rows are counted", n)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n < 5 {
		t.Errorf("%d metrics, %v", n, err)
	}
}

func TestGenerateDrawsASeedAndFollowsTheHour(t *testing.T) {
	t.Parallel()
	b := setup(t)
	three := 3
	first, second := mustGenerate(t, b, GenerateSpec{Samples: 10}), mustGenerate(t, b, GenerateSpec{Samples: 10, Hour: &three})
	if first.Seed == 0 || first.Seed > maxSeed || first.Seed == second.Seed {
		t.Errorf("the seeds are %d and %d", first.Seed, second.Seed)
	}
	if first.Hour != 12 || second.Hour != 3 {
		t.Errorf("the hours are %d and %d", first.Hour, second.Hour)
	}
	again := mustGenerate(t, b, GenerateSpec{Samples: 10, Seed: second.Seed, Hour: &three})
	if again.Fingerprint != second.Fingerprint || again.Fingerprint == first.Fingerprint {
		t.Error("equal seeds give other rows, or other seeds the same")
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		spec GenerateSpec
		want []string
	}{
		{GenerateSpec{}, []string{"body.samples"}},
		{GenerateSpec{Samples: -1}, []string{"body.samples"}},
		{GenerateSpec{Samples: 1_000_000_000}, []string{"body.samples"}},
		{GenerateSpec{Samples: synth.MaxSamples + 1, Drift: "sideways"}, []string{"body.samples", "body.drift"}},
		{GenerateSpec{Samples: 1, Drift: synth.Label, Magnitude: 3}, []string{"body.magnitude"}},
		{GenerateSpec{Samples: 1, Magnitude: 0.3}, []string{"body.magnitude"}},
	} {
		_, err := b.Generate(t.Context(), c.spec, nil)
		var coded *ml.Error
		if !errors.As(err, &coded) || coded.Code != ml.CodeInvalid {
			t.Fatalf("%+v: %v", c.spec, err)
		}
		var got []string
		for _, f := range coded.Fields {
			got = append(got, f.Location)
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%+v: %s", c.spec, d)
		}
	}
	b.mustBeEmpty(t)
}

// failing makes the nth call of a method fail.
func failing(method string, nth int, err error) func(string) error {
	return func(m string) error {
		if m == method {
			if nth--; nth == 0 {
				return err
			}
		}
		return nil
	}
}

func TestGenerateLeavesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is broken")
	for _, c := range []struct {
		method string
		nth    int
	}{{"begin", 1}, {"append", 1}, {"append", 3}, {"append", 10}, {"finish", 1}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.catalogue.before = failing(c.method, c.nth, broken)
			if _, err := b.Generate(t.Context(), GenerateSpec{Samples: 10_000, JobID: 4}, nil); !errors.Is(err, broken) {
				t.Errorf("got %v", err)
			}
			b.mustBeEmpty(t)
			mustGenerate(t, b, GenerateSpec{Samples: 10_000, JobID: 4}) // the next try succeeds
		})
	}
}

func TestGenerateLeavesNothingWhenCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := b.Generate(ctx, GenerateSpec{Samples: 100_000}, func(done int) {
		if done >= 3000 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	b.mustBeEmpty(t)
}

func TestGenerateReportsAFullDisk(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.catalogue.before = failing("append", 2, &os.PathError{Op: "write", Path: "wal", Err: syscall.ENOSPC})
	if _, err := b.Generate(t.Context(), GenerateSpec{Samples: 10_000}, nil); ml.CodeOf(err) != ml.CodeStorageFull {
		t.Errorf("got %v", err)
	}
	b.mustBeEmpty(t)
	if n := testutil.ToFloat64(b.metrics.failures.WithLabelValues("generated")); n != 1 {
		t.Errorf("%v failures are counted", n)
	}
}

func TestGenerateNamesAnUnwritableFolder(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.o.Dir = "/sys" // where even root makes nothing
	_, err := b.Generate(t.Context(), GenerateSpec{Samples: 100}, nil)
	if ml.CodeOf(err) != ml.CodeNotWritable || !strings.Contains(err.Error(), "DATABASE_URL") {
		t.Errorf("got %v, want not writable, naming the folder", err)
	}
}

func TestGenerateOncePerJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := mustGenerate(t, b, GenerateSpec{Samples: 100, JobID: 9})
	again := mustGenerate(t, b, GenerateSpec{Samples: 100, JobID: 9})
	if d := cmp.Diff(first, again); d != "" {
		t.Error(d)
	}
	if other := mustGenerate(t, b, GenerateSpec{Samples: 100, JobID: 10}); other.ID == first.ID {
		t.Error("two jobs share a dataset")
	}
}

func TestGenerateReplacesWhatTheJobLeft(t *testing.T) {
	t.Parallel()
	b := setup(t)
	left, err := b.catalogue.BeginDataset(t.Context(), ml.Dataset{JobID: 9, Schema: ml.GeneratedSchema()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.file(left), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	ds := mustGenerate(t, b, GenerateSpec{Samples: 100, JobID: 9})
	if d := cmp.Diff([]string{filepath.Base(b.file(ds.ID))}, b.files(t)); d != "" {
		t.Error(d)
	}
	if len(b.catalogue.datasets) != 1 {
		t.Errorf("%v", b.catalogue.datasets)
	}
}

// Rows that the disk has no room for are refused before the first of them is written.
func TestGenerateRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		o.Free = func(context.Context) (uint64, error) { return 20 << 20, nil }
	})
	_, err := b.Generate(t.Context(), GenerateSpec{Samples: 1_000_000}, nil)
	if ml.CodeOf(err) != ml.CodeStorageFull || !strings.Contains(err.Error(), "20 MB are left") {
		t.Errorf("got %v, want that 20 MB are too few", err)
	}
	if n := len(b.catalogue.datasets); n != 0 {
		t.Errorf("%d datasets were begun", n)
	}
	if _, err := b.Generate(t.Context(), GenerateSpec{Samples: 1000}, nil); err != nil {
		t.Errorf("1000 rows fit: %v", err)
	}
}
