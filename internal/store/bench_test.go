package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// BenchmarkLog commits predictions from many callers at once; each returns when its row is
// committed.
func BenchmarkLog(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(strconv.Itoa(callers), func(b *testing.B) {
			s := openBench(b)
			b.SetParallelism(max(1, callers/runtime.GOMAXPROCS(0)))
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				p := ml.Prediction{
					ID: "0197f0a1b2c3-0001-000000001234", ModelVersion: "v20260101-120000-1",
					Features: []float64{0.123456, -1.234567}, Label: 1, Confidence: 0.87654,
					ResponseTime: 123 * time.Microsecond, CreatedAt: time.Now(),
				}
				for pb.Next() {
					if err := s.Log(b.Context(), &p); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkLogBatch commits the predictions of one request together.
func BenchmarkLogBatch(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s := openBench(b)
			rows := make([]ml.Prediction, n)
			for i := range rows {
				rows[i] = ml.Prediction{
					ID: fmt.Sprintf("0197f0a1b2c3-0001-%012d", i), ModelVersion: "v20260101-120000-1",
					Features: []float64{float64(i), -1.234567}, Confidence: 0.87654,
				}
			}
			for b.Loop() {
				if err := s.LogBatch(b.Context(), rows); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkSamples writes and reads the rows of a dataset of 1e6, committed 50,000 at a time.
func BenchmarkSamples(b *testing.B) {
	const n, batch = 1_000_000, 50_000
	cols := ml.Columns{Features: [][]float64{make([]float64, n), make([]float64, n)}, Target: make([]uint8, n)}
	for i := range n {
		cols.Features[0][i], cols.Features[1][i] = float64(i)/7, -float64(i)/3
		cols.Target[i] = uint8(i % 2)
	}
	b.Run("append", func(b *testing.B) {
		s := openBench(b)
		for b.Loop() {
			appendSamples(b, s, cols, batch)
		}
		b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
	})
	b.Run("read", func(b *testing.B) {
		s := openBench(b)
		id := appendSamples(b, s, cols, batch)
		for b.Loop() {
			if got, err := s.Samples(b.Context(), id); err != nil || got.Len() != n {
				b.Fatal(got.Len(), err)
			}
		}
		b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "rows/s")
	})
}

func appendSamples(b *testing.B, s *store.Store, cols ml.Columns, batch int) int64 {
	b.Helper()
	ctx := b.Context()
	id, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	if err != nil {
		b.Fatal(err)
	}
	for lo := 0; lo < cols.Len(); lo += batch {
		if err := s.AppendSamples(ctx, id, cols.Slice(lo, lo+batch)); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.FinishDataset(ctx, ml.Dataset{ID: id, Samples: cols.Len(), Fingerprint: "x"}); err != nil {
		b.Fatal(err)
	}
	return id
}

// BenchmarkActiveName is what a process that follows the active version pays a look.
func BenchmarkActiveName(b *testing.B) {
	s := openBench(b)
	for b.Loop() {
		if _, _, err := s.ActiveName(b.Context()); ml.CodeOf(err) != ml.CodeNotFound {
			b.Fatal(err)
		}
	}
}

func openBench(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(context.Background(), store.Options{Path: filepath.Join(b.TempDir(), "bench.db"), Logger: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s
}

// BenchmarkOpen is what the store adds to the start of a process, on a new and on a present file.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "bench.db")
	for _, name := range []string{"present", "new"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if name == "new" {
					path = filepath.Join(b.TempDir(), "bench.db")
				}
				s, err := store.Open(b.Context(), store.Options{Path: path, Logger: quiet()})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}
