package tabular

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// randomRows are n rows of k features.
func randomRows(k, n int) Rows {
	rng := rand.New(rand.NewPCG(uint64(k), uint64(n)))
	rows := Rows{Features: make([][]float64, k), Target: make([]uint8, n)}
	for j := range rows.Features {
		rows.Features[j] = make([]float64, n)
		for i := range rows.Features[j] {
			rows.Features[j][i] = rng.NormFloat64()
		}
	}
	for i := range rows.Target {
		rows.Target[i] = uint8(rng.IntN(2))
	}
	return rows
}

func (r Rows) slice(lo, hi int) Rows {
	out := Rows{Target: r.Target[lo:hi]}
	for _, f := range r.Features {
		out.Features = append(out.Features, f[lo:hi])
	}
	return out
}

// equal compares exactly; a diff of a million rows would take seconds, and help no one.
func (r Rows) equal(o Rows) bool {
	return slices.EqualFunc(r.Features, o.Features, slices.Equal) && slices.Equal(r.Target, o.Target)
}

func names(k int) []string {
	names := make([]string, k)
	for j := range names {
		names[j] = fmt.Sprintf("feature.%d é", j)
	}
	return names
}

// write makes a file of the rows in batches of odd sizes.
func write(t testing.TB, rows Rows) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "t.parquet")
	w, err := CreateParquet(path+".tmp", names(len(rows.Features)), "the target")
	if err != nil {
		t.Fatal(err)
	}
	for from, size := 0, 1; from < rows.Len(); size = size*3 + 1 {
		to := min(from+size, rows.Len())
		if err := w.Append(rows.slice(from, to)); err != nil {
			t.Fatal(err)
		}
		from = to
	}
	if err := w.Commit(path, [2]string{"no", "yes"}); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParquetRoundTrip(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ k, n int }{{1, 0}, {1, 1}, {2, 1000}, {3, mostGroupRow}, {2, 2*mostGroupRow + 5}, {700, 3000}} {
		t.Run(fmt.Sprintf("%dx%d", size.n, size.k), func(t *testing.T) {
			t.Parallel()
			rows := randomRows(size.k, size.n)
			path := write(t, rows)
			schema, got, err := ReadParquet(path, ReadOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := Schema{Features: names(size.k), Target: "the target", Classes: [2]string{"no", "yes"}}
			if d := cmp.Diff(want, schema); d != "" {
				t.Error(d)
			}
			if !rows.equal(got) {
				t.Error("other rows came back")
			}
			left, err := os.ReadDir(filepath.Dir(path))
			if err != nil || len(left) != 1 {
				t.Errorf("beside the file lie %v, %v", left, err)
			}
		})
	}
}

func TestReadParquetLastRowsOfSomeColumns(t *testing.T) {
	t.Parallel()
	n := 2*mostGroupRow + 5
	rows := randomRows(3, n)
	path := write(t, rows)
	for _, last := range []int{1, 5, 6, mostGroupRow + 5, n - 1, n, n + 1} {
		_, got, err := ReadParquet(path, ReadOptions{Last: last, Features: []string{names(3)[2], names(3)[0]}, Classes: [2]string{"yes", "no"}})
		if err != nil {
			t.Fatal(err)
		}
		want := rows.slice(max(n-last, 0), n)
		want.Features = [][]float64{want.Features[2], want.Features[0]}
		want.Target = append([]uint8(nil), want.Target...)
		for i := range want.Target {
			want.Target[i] = 1 - want.Target[i]
		}
		if !want.equal(got) {
			t.Errorf("last %d: other rows came back", last)
		}
	}
}

func TestReadParquetRefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	path := write(t, randomRows(2, 10))
	_, _, err := ReadParquet(path, ReadOptions{Features: []string{"height"}})
	if err == nil || !strings.Contains(err.Error(), `no column "height"`) {
		t.Errorf("got %v", err)
	}
	_, _, err = ReadParquet(path, ReadOptions{Classes: [2]string{"no", "maybe"}})
	if err == nil || !strings.Contains(err.Error(), `"no" and "yes", not "no" and "maybe"`) {
		t.Errorf("got %v", err)
	}
	_, _, err = ReadParquet(path, ReadOptions{Rows: 11, Last: 5})
	if err == nil || !strings.Contains(err.Error(), "10 rows, not 11") {
		t.Errorf("got %v", err)
	}
	path = filepath.Join(t.TempDir(), "gone.parquet")
	_, _, err = ReadParquet(path, ReadOptions{})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v", err)
	}
}

// Whatever byte of a file is changed, and wherever it is cut off, reading ends in an error that
// names the file, or gives the right rows.
func TestReadParquetOfDamagedFiles(t *testing.T) {
	t.Parallel()
	rows := randomRows(2, 20)
	path := write(t, rows)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, want, err := ReadParquet(path, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, damaged []byte) (failed bool) {
		t.Helper()
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		_, got, err := ReadParquet(path, ReadOptions{})
		if err == nil && !want.equal(got) {
			t.Errorf("%s: wrong rows and no error", what)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%s: the file is not named: %v", what, err)
		}
		return err != nil
	}
	for i := range whole {
		damaged := append([]byte(nil), whole...)
		damaged[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("byte %d", i), damaged)
	}
	for n := 0; n < len(whole); n += 3 {
		if !check(fmt.Sprintf("the first %d bytes", n), whole[:n]) {
			t.Errorf("a file cut off after %d bytes is read", n)
		}
	}
}

func TestParquetWriterLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "t.parquet")
	w, err := CreateParquet(path+".tmp", names(2), "y")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Append(randomRows(2, 10)); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	if _, err := CreateParquet(path+".tmp", names(2), "y"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("two write one file: %v", err)
	}
	w.Abort()
	w.Abort()
	if entries, err = os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	w, err = CreateParquet(path+".tmp", names(2), "y")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(path, [2]string{"same", "same"}); err == nil {
		t.Error("a file of one class was written")
	}
	if entries, err = os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
	if _, err := CreateParquet(filepath.Join(dir, "none", "t.parquet"), names(2), "y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	schema := Schema{Features: names(2), Target: "y", Classes: [2]string{"no", "yes"}}
	exchanged := [2]string{"yes", "no"}
	rows := randomRows(2, 1000)
	sum := func(s Schema, codes [2]string, parts ...Rows) string {
		f := NewFingerprint(2)
		for _, p := range parts {
			f.Add(p)
		}
		return f.Sum(s, codes)
	}
	want := sum(schema, schema.Classes, rows)
	if len(want) != 64 {
		t.Errorf("%q is no SHA-256", want)
	}
	if got := sum(schema, schema.Classes, rows.slice(0, 1), rows.slice(1, 700), rows.slice(700, 1000)); got != want {
		t.Error("it depends on the batches")
	}
	other := randomRows(2, 1000)
	for i := range other.Target {
		other.Target[i] ^= 1
	}
	if sum(schema, exchanged, other) != want {
		t.Error("it depends on the codes")
	}
	if sum(schema, schema.Classes, other) == want {
		t.Error("it does not depend on the labels")
	}
	other = randomRows(2, 1000)
	other.Features[1][999] += 1e-12
	if sum(schema, schema.Classes, other) == want {
		t.Error("it does not depend on the values")
	}
	schema.Target = "z"
	if sum(schema, schema.Classes, rows) == want {
		t.Error("it does not depend on the schema")
	}
}

func TestClassOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ a, b, first string }{
		{"yes", "no", "no"},
		{"no", "yes", "no"},
		{"1", "0", "0"},
		{"10", "9", "9"},
		{"10", "9a", "10"},
		{"-1", "1", "-1"},
		{"1", "1.0", "1"},
		{"nan", "1", "1"},
		{"M", "B", "B"},
		{"b", "B", "B"},
	} {
		got := ClassOrder(c.a, c.b)
		if got[0] != c.first || got[0] == got[1] || got != ClassOrder(c.b, c.a) {
			t.Errorf("%s, %s: %v, want %s first", c.a, c.b, got, c.first)
		}
	}
}

func BenchmarkWriteParquet(b *testing.B) {
	rows := randomRows(2, 1_000_000)
	b.SetBytes(int64(rows.Len()) * 20)
	for b.Loop() {
		write(b, rows)
	}
}

func BenchmarkReadParquet(b *testing.B) {
	path := write(b, randomRows(2, 1_000_000))
	b.SetBytes(1_000_000 * 20)
	for b.Loop() {
		if _, _, err := ReadParquet(path, ReadOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
