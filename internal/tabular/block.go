package tabular

import (
	"bytes"
	"fmt"
	"io"
)

// block is a piece of the file that ends where a record ends, and what was read from it.
type block struct {
	data []byte // n bytes of records, then padding
	n    int
	line int // of the first byte
	last bool

	rows    Rows // as many as can be in it; the first count are there
	count   int
	classes classes
	// assumed tells that the classes of the whole file were not known yet.
	assumed  bool
	third    bool // a row was refused for its target
	bad      []RowError
	badCount int
	err      error

	flat   []float64
	fields []field
	text   []byte
	parsed chan struct{} // receives once, when a parser is done with the block
}

// blocks cuts a stream into blocks.
type blocks struct {
	r     io.Reader
	size  int // how much is read at once
	limit int // the longest record
	delim byte
	line  int
	tail  []byte // read, and not yet in a block
	eof   bool
}

// next fills b with the next records. After the last block, or an error in b.err, there are no more.
func (s *blocks) next(b *block) {
	b.data = append(b.data[:0], s.tail...)
	b.count, b.bad, b.badCount, b.third = 0, b.bad[:0], 0, false
	want, end := s.size, 0
	for {
		b.data, b.err = s.fill(b.data, want)
		if b.err != nil {
			break
		}
		if s.eof {
			end = len(b.data)
			break
		}
		if end = lastRecordEnd(b.data, s.delim); end > 0 {
			break
		}
		if len(b.data) > s.limit {
			b.err = fileErrorf("file.row_long", told{"line": s.line, "most": s.limit}, "the row on line %d is longer than %d bytes; is a quote left open?", s.line, s.limit)
			break
		}
		want = 2 * len(b.data)
	}
	s.tail = append(s.tail[:0], b.data[end:]...)
	b.n, b.line, b.last = end, s.line, s.eof || b.err != nil
	b.data = append(b.data[:end], paddingBytes...)
	s.line += bytes.Count(b.data[:end], newline)
}

// fill reads until data holds want bytes or the stream ends.
func (s *blocks) fill(data []byte, want int) ([]byte, error) {
	if s.eof || len(data) >= want {
		return data, nil
	}
	if cap(data) < want+padding {
		data = append(make([]byte, 0, want+padding), data...)
	}
	for len(data) < want {
		n, err := s.r.Read(data[len(data):want])
		data = data[:len(data)+n]
		// A stream that was cut off ends in an io.ErrUnexpectedEOF of its own: that is no end.
		if err == io.EOF {
			s.eof = true
			return data, nil
		}
		if err != nil {
			return data, fmt.Errorf("tabular: read the file after line %d: %w", s.line+bytes.Count(data, newline), err)
		}
	}
	return data, nil
}

// Line ends: a row without its own at the end of the file finds one here.
var paddingBytes = bytes.Repeat(newline, padding)

var newline = []byte{'\n'}
