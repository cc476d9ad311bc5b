package tabular

import (
	"bytes"
	"slices"
)

// field is where one field of a record lies in its text, without the quotes around it.
type field struct {
	start, end int
	quoted     bool // the text may hold "" for " and \r\n for \n
}

// text returns the field's text out of b, without the spaces around it.
func (f field) text(b []byte) []byte {
	s := b[f.start:f.end]
	if f.quoted {
		s = bytes.ReplaceAll(s, []byte(`""`), []byte(`"`))
		s = bytes.ReplaceAll(s, []byte("\r\n"), []byte("\n"))
	}
	return bytes.Trim(s, " \t")
}

// blank reports whether all fields of b are empty: an empty line, or a spreadsheet's empty row. It is no row.
func blank(b []byte, fields []field) bool {
	return !slices.ContainsFunc(fields, func(f field) bool { return len(f.text(b)) > 0 })
}

// recordState tells how a scan of a record ended.
type recordState int

const (
	recordComplete  recordState = iota // its line end was found
	recordOpen                         // the text ended first
	recordOpenQuote                    // the text ended first, inside quotes
	recordBroken                       // quotes where none may be; the rest of that line is skipped
)

// scanRecord splits the record that starts at b[i] into fields, which are appended to fields, and
// returns the index behind its line end. It is RFC 4180's grammar, with spaces allowed around
// quoted fields. In a broken record the last field is the one that is wrong.
func scanRecord(b []byte, i int, delim byte, fields []field) ([]field, int, recordState) {
	for {
		for i < len(b) && isBlank(b[i], delim) {
			i++
		}
		if i < len(b) && b[i] == '"' {
			f, next, closed := scanQuoted(b, i)
			fields = append(fields, f)
			if !closed {
				return fields, len(b), recordOpenQuote
			}
			for i = next; i < len(b) && isBlank(b[i], delim); i++ {
			}
			if i < len(b) && b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n') {
				i++
			}
			if i < len(b) && b[i] != delim && b[i] != '\n' {
				return skipLine(b, i, fields)
			}
		} else {
			f := field{start: i}
			for i < len(b) && b[i] != delim && b[i] != '\n' && b[i] != '"' {
				i++
			}
			f.end = i
			if i == len(b) || b[i] == '\n' {
				if f.end > f.start && b[f.end-1] == '\r' {
					f.end--
				}
			}
			fields = append(fields, f)
			if i < len(b) && b[i] == '"' {
				return skipLine(b, i, fields)
			}
		}
		if i == len(b) {
			return fields, i, recordOpen
		}
		i++
		if b[i-1] == '\n' {
			return fields, i, recordComplete
		}
	}
}

// scanQuoted reads the quoted field whose opening quote is b[i]; next is behind the closing one.
func scanQuoted(b []byte, i int) (f field, next int, closed bool) {
	f = field{start: i + 1, quoted: true}
	for i++; ; i++ {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			f.end = len(b)
			return f, len(b), false
		}
		if i += n; i+1 < len(b) && b[i+1] == '"' {
			i++
			continue
		}
		f.end = i
		return f, i + 1, true
	}
}

func skipLine(b []byte, i int, fields []field) ([]field, int, recordState) {
	if n := bytes.IndexByte(b[i:], '\n'); n >= 0 {
		return fields, i + n + 1, recordBroken
	}
	return fields, len(b), recordBroken
}

func isBlank(c, delim byte) bool { return c == ' ' || c == '\t' && delim != '\t' }

// lastRecordEnd is the index behind the last complete record of b, which starts with a record; 0 if
// there is none.
func lastRecordEnd(b []byte, delim byte) int {
	if bytes.IndexByte(b, '"') < 0 {
		return bytes.LastIndexByte(b, '\n') + 1
	}
	var fields []field
	for end := 0; ; {
		var next int
		var state recordState
		fields, next, state = scanRecord(b, end, delim, fields[:0])
		if state != recordComplete && (state != recordBroken || b[next-1] != '\n') {
			return end
		}
		end = next
		if end == len(b) {
			return end
		}
	}
}
