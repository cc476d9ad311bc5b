package tabular

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	groupBytes   = 12 << 20 // of a row group in memory, about
	mostGroupRow = 1 << 17
	leastGroup   = 1 << 10
)

// ParquetWriter writes a file of k float64 columns and a target of INT32 codes. Rows are gathered to
// a row group, one plain, uncompressed page a column, so that reading is little more than copying;
// memory does not grow with the file. The file is written under a temporary name and gets its own in
// Commit.
//
// The pages are laid out here, with parquet-go's types for the headers and the footer: its writer
// takes values one by one.
type ParquetWriter struct {
	file   *os.File
	offset int64
	names  []string // of the features, then the target
	group  Rows     // as many rows as a group has at most
	n      int      // rows in it
	codes  []byte   // the target of the group, encoded
	rows   int64
	groups []format.RowGroup
	err    error // the first
	closed bool

	// Row groups are brought to the disk while the next ones are gathered: dirty wakes the goroutine
	// that does so; when it has ended, it closes synced.
	dirty   chan struct{}
	synced  chan struct{}
	syncErr error
}

// CreateParquet begins a file under the name temp, which must not be there yet and must lie in the
// folder of the name that the file gets in the end.
func CreateParquet(temp string, features []string, target string) (*ParquetWriter, error) {
	k := len(features)
	if k == 0 || target == "" {
		return nil, errors.New("tabular: a Parquet file needs features and a target")
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("tabular: create: %w", err)
	}
	rows := min(max(groupBytes/(8*k+8), leastGroup), mostGroupRow)
	w := &ParquetWriter{file: f, names: append(slices.Clone(features), target)}
	w.group = Rows{Features: make([][]float64, k), Target: make([]uint8, rows)}
	for j := range k {
		w.group.Features[j] = make([]float64, rows)
	}
	w.codes = make([]byte, 0, 4*rows)
	w.dirty, w.synced = make(chan struct{}, 1), make(chan struct{})
	go w.sync()
	w.write([]byte(magic))
	if w.err != nil {
		w.Abort()
		return nil, fmt.Errorf("tabular: write %s: %w", temp, w.err)
	}
	return w, nil
}

const magic = "PAR1"

// Append adds rows. After an error the file can only be aborted.
func (w *ParquetWriter) Append(rows Rows) error {
	for from := 0; from < rows.Len() && w.err == nil; {
		n := copy(w.group.Target[w.n:], rows.Target[from:])
		for j, f := range rows.Features {
			copy(w.group.Features[j][w.n:], f[from:from+n])
		}
		from += n
		if w.n += n; w.n == len(w.group.Target) {
			w.flush()
		}
	}
	if w.err != nil {
		return fmt.Errorf("tabular: write %s: %w", w.file.Name(), w.err)
	}
	return nil
}

// Commit ends the file: classes are the values of the target by their codes. When it returns
// without an error, the file is on the disk, whole, under the name path, in place of what was there.
// After an error nothing is left of it.
func (w *ParquetWriter) Commit(path string, classes [2]string) error {
	defer w.Abort()
	k := len(w.names) - 1
	schema := Schema{Features: w.names[:k], Target: w.names[k], Classes: classes}
	if w.err == nil {
		w.err = schema.validate()
	}
	w.flush()
	w.footer(schema)
	if w.err != nil {
		return fmt.Errorf("tabular: write %s: %w", path, w.err)
	}
	close(w.dirty)
	<-w.synced
	err := errors.Join(w.syncErr, w.file.Sync(), w.file.Close())
	if err == nil {
		err = os.Rename(w.file.Name(), path)
	}
	w.closed = true
	if err != nil {
		_ = os.Remove(w.file.Name())
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("tabular: write %s: %w", path, err)
	}
	return nil
}

// Abort removes what was written. After Commit, or called again, it does nothing.
func (w *ParquetWriter) Abort() {
	if w.closed {
		return
	}
	w.closed = true
	close(w.dirty)
	<-w.synced
	// An error here is of no use to a caller that gives up; what stays is removed as a leftover.
	_ = w.file.Close()
	_ = os.Remove(w.file.Name())
}

// sync brings to the disk what was written, whenever there is more. The first error counts: the
// system reports it once, and the next call would say that all is well.
func (w *ParquetWriter) sync() {
	for range w.dirty {
		if w.syncErr == nil {
			w.syncErr = w.file.Sync()
		}
	}
	close(w.synced)
}

// flush writes the rows gathered as one row group.
func (w *ParquetWriter) flush() {
	if w.n == 0 || w.err != nil {
		return
	}
	g := format.RowGroup{NumRows: int64(w.n), FileOffset: w.offset, Ordinal: int16(len(w.groups))}
	if int(g.Ordinal) != len(w.groups) {
		w.err = errors.New("too many row groups for a Parquet file")
		return
	}
	w.codes = w.codes[:0]
	for _, c := range w.group.Target[:w.n] {
		w.codes = append(w.codes, c, 0, 0, 0)
	}
	for j, name := range w.names {
		kind, page := format.Int32, w.codes
		if j < len(w.group.Features) {
			kind, page = format.Double, floatBytes(w.group.Features[j][:w.n])
		}
		c := w.page(name, kind, page)
		g.Columns = append(g.Columns, c)
		g.TotalByteSize += c.MetaData.TotalUncompressedSize
	}
	g.TotalCompressedSize = g.TotalByteSize
	w.groups = append(w.groups, g)
	w.rows += int64(w.n)
	w.n = 0
	select {
	case w.dirty <- struct{}{}:
	default: // it will see these rows too
	}
}

// page writes one column of a row group as one page.
func (w *ParquetWriter) page(name string, kind format.Type, data []byte) format.ColumnChunk {
	header := format.PageHeader{
		Type:                 format.DataPage,
		UncompressedPageSize: int32(len(data)),
		CompressedPageSize:   int32(len(data)),
		CRC:                  int32(crc32.ChecksumIEEE(data)),
		DataPageHeader: thrift.New(format.DataPageHeader{
			NumValues: int32(w.n), Encoding: format.Plain,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		}),
	}
	start := w.offset
	w.encode(&header)
	w.write(data)
	return format.ColumnChunk{FileOffset: start, MetaData: format.ColumnMetaData{
		Type:                  kind,
		Encoding:              []format.Encoding{format.Plain},
		PathInSchema:          []string{name},
		Codec:                 format.Uncompressed,
		NumValues:             int64(w.n),
		TotalUncompressedSize: w.offset - start,
		TotalCompressedSize:   w.offset - start,
		DataPageOffset:        start,
	}}
}

func (w *ParquetWriter) footer(s Schema) {
	meta := format.FileMetaData{
		Version:          2,
		NumRows:          w.rows,
		RowGroups:        w.groups,
		KeyValueMetadata: []format.KeyValue{{Key: schemaKey, Value: s.marshal()}},
		CreatedBy:        "iacontinu",
		Schema:           []format.SchemaElement{{Name: "schema", NumChildren: thrift.New(int32(len(w.names)))}},
	}
	for j, name := range w.names {
		kind := format.Int32
		if j < len(s.Features) {
			kind = format.Double
		}
		meta.Schema = append(meta.Schema, format.SchemaElement{
			Name: name, Type: thrift.New(kind), RepetitionType: thrift.New(format.Required),
		})
	}
	start := w.offset
	w.encode(&meta)
	w.write(binary.LittleEndian.AppendUint32(nil, uint32(w.offset-start)))
	w.write([]byte(magic))
}

func (w *ParquetWriter) encode(v any) {
	var b bytes.Buffer
	if err := thrift.NewEncoder(new(thrift.CompactProtocol).NewWriter(&b)).Encode(v); err != nil && w.err == nil {
		w.err = err
	}
	w.write(b.Bytes())
}

func (w *ParquetWriter) write(b []byte) {
	if w.err != nil {
		return
	}
	n, err := w.file.Write(b)
	w.offset += int64(n)
	w.err = err
}

// syncDir makes a rename in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
