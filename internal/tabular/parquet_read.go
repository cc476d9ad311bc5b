package tabular

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/parquet-go/parquet-go"
)

// ReadOptions say what is read of a Parquet file.
type ReadOptions struct {
	// Features are the columns wanted, in this order; nil means all as they are in the file.
	Features []string
	// Rows is how many rows the file must have in all; 0 means any number.
	Rows int
	// Last is how many rows at the end are wanted; 0 means all.
	Last int
	// Classes are the values of the target in the order of their labels; zero means as in the file.
	Classes [2]string
}

// ReadParquet reads columns of a file that a ParquetWriter made. Errors name the file; that the
// file is missing is an fs.ErrNotExist.
func ReadParquet(path string, o ReadOptions) (Schema, Rows, error) {
	s, rows, err := readParquet(path, o)
	if err != nil {
		return Schema{}, Rows{}, fmt.Errorf("tabular: read %s: %w", path, err)
	}
	return s, rows, nil
}

func readParquet(path string, o ReadOptions) (s Schema, rows Rows, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, rows, errors.Unwrap(err) // the path is named by the caller
	}
	defer f.Close()
	defer recoverDamage(&err)
	info, err := f.Stat()
	if err != nil {
		return s, rows, err
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return s, rows, err
	}
	s, err = schemaOf(file)
	if err != nil {
		return s, rows, err
	}
	labels, err := s.codes(o.Classes)
	if err != nil {
		return s, rows, err
	}
	if o.Rows > 0 && file.NumRows() != int64(o.Rows) {
		return s, rows, fmt.Errorf("it has %d rows, not %d", file.NumRows(), o.Rows)
	}
	columns, err := pick(file, s, o.Features)
	if err != nil {
		return s, rows, err
	}
	rows, err = readGroups(file, columns, o.Last)
	if labels != [2]uint8{0, 1} {
		for i := range rows.Target {
			rows.Target[i] ^= 1
		}
	}
	return s, rows, err
}

// schemaOf reads the schema that the writer left, and holds the columns to it.
func schemaOf(file *parquet.File) (s Schema, err error) {
	text, ok := file.Lookup(schemaKey)
	if !ok {
		return s, fmt.Errorf("it has no %s", schemaKey)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("its %s: %w", schemaKey, err)
	}
	if err := s.validate(); err != nil {
		return s, err
	}
	for j, c := range file.Root().Columns() {
		kind := parquet.Double
		if j == len(s.Features) {
			kind = parquet.Int32
		}
		if !c.Leaf() || c.Optional() || c.Repeated() || c.Type().Kind() != kind {
			return s, fmt.Errorf("its column %s is not of the type %s", quote(c.Name()), kind)
		}
	}
	return s, nil
}

// pick finds the columns wanted: the features, then the target.
func pick(file *parquet.File, s Schema, features []string) ([]int, error) {
	if features == nil {
		features = s.Features
	}
	names := make([]string, 0, len(s.Features)+1)
	for _, c := range file.Root().Columns() {
		names = append(names, c.Name())
	}
	picked := make([]int, 0, len(features)+1)
	for _, name := range append(slices.Clone(features), s.Target) {
		j := slices.Index(names, name)
		if j < 0 {
			return nil, fmt.Errorf("it has no column %s", quote(name))
		}
		picked = append(picked, j)
	}
	return picked, nil
}

// span is the part of a row group that is wanted, and where it goes.
type span struct {
	group parquet.RowGroup
	skip  int // rows at its start that are not wanted
	at    int
}

// readGroups reads the last rows of the columns, the target being the last of these.
func readGroups(file *parquet.File, columns []int, last int) (Rows, error) {
	n := int(file.NumRows())
	rowBytes := 8*len(file.Root().Columns()) - 4 // plain float64s, and the target's int32
	if n < 0 || int64(n) > file.Size()/int64(rowBytes) {
		return Rows{}, fmt.Errorf("damaged: %d rows in %d bytes", n, file.Size())
	}
	skip := 0
	if last > 0 && last < n {
		skip = n - last
	}
	rows := Rows{Features: make([][]float64, len(columns)-1), Target: make([]uint8, n-skip)}
	for j := range rows.Features {
		rows.Features[j] = make([]float64, n-skip)
	}
	var spans []span
	first := 0
	for _, g := range file.RowGroups() {
		end := first + int(g.NumRows())
		if end > skip {
			spans = append(spans, span{group: g, skip: max(skip-first, 0), at: max(first-skip, 0)})
		}
		first = end
	}
	if first != n {
		return Rows{}, fmt.Errorf("damaged: %d rows in its groups instead of %d", first, n)
	}
	// One column after the other: it is memory that sets the pace, and more goroutines slow it down.
	for j, c := range columns {
		for _, s := range spans {
			var err error
			if j < len(rows.Features) {
				err = s.read(c, rows.Features[j][s.at:], nil)
			} else {
				err = s.read(c, nil, rows.Target[s.at:])
			}
			if err != nil {
				return Rows{}, err
			}
		}
	}
	return rows, nil
}

// read copies the span's part of a column to the start of values or of codes.
func (s span) read(column int, values []float64, codes []uint8) error {
	pages := s.group.ColumnChunks()[column].Pages()
	defer pages.Close()
	if s.skip > 0 {
		if err := pages.SeekToRow(int64(s.skip)); err != nil {
			return err
		}
	}
	n := 0
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if values != nil {
			n += copy(values[n:], doubles(page))
		} else {
			n += narrow(codes[n:], int32s(page))
		}
		parquet.Release(page)
	}
	if want := int(s.group.NumRows()) - s.skip; n != want {
		return fmt.Errorf("damaged: %d values in a column of %d rows", n, want)
	}
	for _, c := range codes[:min(n, len(codes))] {
		if c > 1 {
			return fmt.Errorf("damaged: the target's code %d is not 0 or 1", c)
		}
	}
	return nil
}

func doubles(p parquet.Page) []float64 {
	data := p.Data()
	return data.Double()
}

func int32s(p parquet.Page) []int32 {
	data := p.Data()
	return data.Int32()
}

// narrow copies codes; what is no code becomes 255.
func narrow(dst []uint8, src []int32) int {
	n := min(len(dst), len(src))
	for i, c := range src[:n] {
		dst[i] = uint8(min(uint32(c), 255))
	}
	return n
}

// recoverDamage makes an error of a panic: damage in a file can make the decoder index beyond what
// is there.
func recoverDamage(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("damaged: %v", r)
	}
}
