package tabular

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxName  = 256      // bytes of a column's name, and of a class
	maxNames = 64 << 10 // bytes of the names of all features, which answers repeat
)

// What a column is for; features are numbered from 0.
const (
	slotTarget = -1
	slotIgnore = -2
)

// header is the first record of a file.
type header struct {
	columns  []string
	slots    []int // of each column: the number of the feature, slotTarget or slotIgnore
	features []string
}

// readHeader takes the header off the stream, and finds out its delimiter.
func readHeader(s *blocks, o CSVOptions) (header, error) {
	data, err := s.fill(nil, s.size)
	if err != nil {
		return header{}, err
	}
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		return header{}, fileErrorf("file.utf16", nil, "the file is UTF-16 text; save it as UTF-8")
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return header{}, fileErrorf("file.spreadsheet", nil, "the file is a spreadsheet (.xlsx, .ods) or a ZIP archive; export it as CSV, or unpack it")
	}
	if bytes.HasPrefix(data, []byte{0x1F, 0x8B}) {
		return header{}, fileErrorf("file.compressed", nil, "the file is compressed (.gz); unpack it to CSV first")
	}
	i := 0
	if bytes.HasPrefix(data, []byte{0xEF, 0xBB, 0xBF}) {
		i = 3
	}
	s.line = 1
	for i < len(data) && (data[i] == '\n' || data[i] == '\r') {
		if data[i] == '\n' {
			s.line++
		}
		i++
	}
	delim, length := separatorLine(data[i:])
	if length > 0 {
		i += length
		s.line++
	}
	if i == len(data) {
		return header{}, fileErrorf("file.empty", nil, "the file is empty; a header with the names of the columns is required")
	}
	s.delim = cmp.Or(delim, delimiter(data[i:]))
	fields, end, state := scanRecord(data, i, s.delim, nil)
	switch {
	case state == recordBroken:
		return header{}, fileErrorf("file.header_quote", told{"line": s.line}, "the header on line %d has a quote in the wrong place", s.line)
	case state == recordOpenQuote && s.eof:
		return header{}, fileErrorf("file.header_open", told{"line": s.line}, "the quotes in the header on line %d are never closed", s.line)
	case state != recordComplete && !s.eof:
		return header{}, fileErrorf("file.header_long", told{"line": s.line, "most": len(data)}, "the header on line %d is longer than %d bytes", s.line, len(data))
	}
	columns := make([]string, len(fields))
	for j, f := range fields {
		columns[j] = oneLine(string(f.text(data)))
	}
	if allNumbers(columns) {
		return header{}, fileErrorf("file.no_header", told{"line": s.line}, "line %d has numbers only, but the first line must be a header with the names of the columns: "+
			"add one above it; if these are the names, put a letter into one of them", s.line)
	}
	s.line += bytes.Count(data[i:end], newline)
	s.tail = data[end:]
	return newHeader(columns, o)
}

// separatorLine is what a first line such as sep=; says, by which Excel is told the separator, and the length of that
// line; 0 if there is none.
func separatorLine(b []byte) (delim byte, length int) {
	line, _, ended := bytes.Cut(b, newline)
	text := bytes.TrimSuffix(line, []byte("\r"))
	if !ended || len(text) != len("sep=;") || !bytes.EqualFold(text[:4], []byte("sep=")) || !bytes.ContainsAny(text[4:], ",;\t") {
		return 0, 0
	}
	return text[4], len(line) + 1
}

// delimiter is the one of , ; and tab that is most frequent in the first record, outside quotes.
func delimiter(b []byte) byte {
	var counts [256]int
	quoted := false
	for _, c := range b {
		if c == '"' {
			quoted = !quoted
		} else if c == '\n' && !quoted {
			break
		} else if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte{';', '\t'} {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

func newHeader(columns []string, o CSVOptions) (header, error) {
	if len(columns) > o.MaxColumns {
		return header{}, fileErrorf("file.wide", told{"columns": len(columns), "most": o.MaxColumns}, "the file has %d columns, at most %d are possible", len(columns), o.MaxColumns)
	}
	ignore := ignored(o.Ignore, columns)
	if slices.Contains(ignore, o.Target) {
		return header{}, fileErrorf("file.target_ignored", told{"target": quote(o.Target)}, "the target %s can't be left out", quote(o.Target))
	}
	h := header{columns: columns, slots: make([]int, len(columns))}
	first := make(map[string]int, len(columns))
	size := 0 // of the features' names
	for j, name := range columns {
		switch at, twice := first[name]; {
		case name == "":
			return header{}, fileErrorf("file.nameless", told{"column": j + 1}, "column %d has no name%s", j+1, indexHint(j))
		case twice:
			return header{}, fileErrorf("file.same_name", told{"first": at + 1, "second": j + 1, "name": quote(name)}, "columns %d and %d have the same name: %s", at+1, j+1, quote(name))
		case len(name) > maxName:
			return header{}, fileErrorf("file.name_long", told{"column": j + 1, "most": maxName, "name": quote(name)}, "the name of column %d is longer than %d bytes: %s", j+1, maxName, quote(name))
		case !utf8.ValidString(name):
			return header{}, fileErrorf("file.name_not_utf8", told{"column": j + 1, "name": quote(name)}, "the name of column %d is not UTF-8: %s; save the file as UTF-8", j+1, quote(name))
		}
		first[name] = j
		switch {
		case name == o.Target:
			h.slots[j] = slotTarget
		case slices.Contains(ignore, name):
			h.slots[j] = slotIgnore
		default:
			h.slots[j] = len(h.features)
			h.features = append(h.features, name)
			if size += len(name); size > maxNames {
				return header{}, fileErrorf("file.names_long", told{"most": maxNames}, "the names of the columns are longer than %d bytes together; shorten them, or leave columns out", maxNames)
			}
		}
	}
	named := ignore
	if o.Target != "" { // a preview has none
		named = append([]string{o.Target}, ignore...)
	}
	for _, name := range named {
		if _, ok := first[name]; !ok {
			return header{}, fileErrorf("file.no_column", told{"name": quote(name), "columns": list(columns)}, "there is no column %s; the columns are %s%s", quote(name), list(columns), headerHint(columns))
		}
	}
	if len(h.features) == 0 {
		left := ""
		if len(ignore) > 0 {
			left = "; left out are " + list(ignore)
		}
		return header{}, fileErrorf("file.no_features", told{"target": quote(o.Target)}, "there is no column beside the target %s that could be a feature%s", quote(o.Target), left)
	}
	return h, nil
}

// ignored are the columns to leave out. What is the name of a column is taken whole, even with a comma.
func ignored(given, columns []string) []string {
	var names []string
	for _, g := range given {
		if slices.Contains(columns, oneLine(g)) {
			names = append(names, oneLine(g))
			continue
		}
		for name := range strings.SplitSeq(g, ",") {
			if name = oneLine(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// indexHint says what to do about a nameless column; the first is the one that pandas writes by default.
func indexHint(column int) string {
	hint := "if it holds row numbers, write the file without them (in pandas: index=False)"
	if column > 0 {
		hint = "delete it from the file (maybe each line ends in a separator)"
	}
	return fmt.Sprintf("; %s, or name it unnamed%d in the header and leave it out by --ignore unnamed%[2]d (ignore=... over HTTP)", hint, column+1)
}

// headerHint is for a file that starts with data, and for one with another separator.
func headerHint(columns []string) string {
	switch {
	case len(columns) == 1:
		return "; columns are separated by commas, semicolons or tabs"
	case slices.ContainsFunc(columns, looksLikeData):
		return "; if the first line is a row of data, add a header with the names of the columns above it"
	}
	return ""
}

// allNumbers tells data from a header. A field without text, as a separator at the end of a line makes,
// is neither.
func allNumbers(columns []string) bool {
	return slices.ContainsFunc(columns, looksLikeData) &&
		!slices.ContainsFunc(columns, func(c string) bool { return c != "" && !looksLikeData(c) })
}

// looksLikeData reports whether a column's name is what data have: a number, with whatever sign before its
// fraction, or NaN.
func looksLikeData(name string) bool {
	_, err := strconv.ParseFloat(strings.Replace(name, ",", ".", 1), 64)
	return err == nil
}
