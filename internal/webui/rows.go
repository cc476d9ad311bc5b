package webui

import (
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strings"

	"iacontinu/internal/api"
)

// unreadable says in the reader's language what is wrong with the rows.
type unreadable string

func (u unreadable) Error() string { return string(u) }

// textRow is a row as it is written, with the line that it starts on.
type textRow struct {
	line  int
	cells []string
}

// readRows reads lines of numbers in the order of the features, or in that of a first line with their names;
// columns of other names are left out. They are parted by semicolons, tabs or commas.
func (l *language) readRows(text string, features []string) ([][]float64, error) {
	if err := l.otherFile(text); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff"))
	records, err := l.records(text)
	if err != nil {
		return nil, err
	}
	order := make([]int, len(features))
	for i := range order {
		order[i] = i
	}
	width := len(features)
	if len(records) > 0 && !numeric(records[0].cells) {
		if order, err = l.columns(records[0].cells, features); err != nil {
			return nil, err
		}
		width = len(records[0].cells)
		records = records[1:]
	}
	if len(records) == 0 {
		return nil, unreadable(l.must("predict.no_rows"))
	}
	if len(records) > api.MaxBatch {
		return nil, unreadable(l.must("predict.too_many", api.MaxBatch))
	}
	known, err := l.marksOf(records, order, width)
	if err != nil {
		return nil, err
	}
	rows := make([][]float64, len(records))
	for i, r := range records {
		if rows[i], err = l.numbersOf(r, features, order, known); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// records parts text into rows and cells.
func (l *language) records(text string) ([]textRow, error) {
	comma, text := separator(text)
	reader := csv.NewReader(strings.NewReader(text))
	reader.Comma, reader.TrimLeadingSpace, reader.FieldsPerRecord = comma, true, -1
	var out []textRow
	for len(out) <= api.MaxBatch+1 { // with a header
		cells, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, l.quotes(err)
		}
		line, _ := reader.FieldPos(0)
		if row := (textRow{line, cells}); row.used() > 0 { // else a spreadsheet's empty row
			out = append(out, row)
		}
	}
	return out, nil
}

// separatorLine is a first line by which Excel is told the separator.
var separatorLine = regexp.MustCompile(`^(?i:sep=)([,;\t])\r?(?:\n|$)`)

// separator is what parts the cells of a text: what its separator line says, which becomes an empty one, or what
// its first line has.
func separator(text string) (comma rune, rows string) {
	if said := separatorLine.FindStringSubmatch(text); said != nil {
		return rune(said[1][0]), "\n" + text[len(said[0]):]
	}
	first, _, _ := strings.Cut(text, "\n")
	for _, comma := range ";\t" {
		if strings.ContainsRune(first, comma) {
			return comma, text
		}
	}
	return ',', text
}

// used is how many cells a row has, without the empty ones at its end that a separator makes.
func (r textRow) used() int {
	n := len(r.cells)
	for n > 0 && strings.TrimSpace(r.cells[n-1]) == "" {
		n--
	}
	return n
}

// marksOf learns from all cells what their commas and points are for, and refuses rows that are too short or
// too long: what is taken for the end of a cell may be within a number.
func (l *language) marksOf(records []textRow, order []int, width int) (known marks, err error) {
	for _, r := range records {
		if r.used() > width {
			return marks{}, unreadable(l.must("predict.short_row", r.line, width, r.used()))
		}
		for _, at := range order {
			if at >= len(r.cells) {
				return marks{}, unreadable(l.must("predict.short_row", r.line, len(order), len(r.cells)))
			}
			known.see(r.cells[at])
		}
	}
	return known, nil
}

// numbersOf reads the features of a row.
func (l *language) numbersOf(r textRow, features []string, order []int, known marks) ([]float64, error) {
	out := make([]float64, len(features))
	for i, at := range order {
		x, err := known.read(r.cells[at])
		switch {
		case errors.Is(err, errUnclear):
			return nil, unreadable(l.must("predict.unclear_cell", r.line, features[i], r.cells[at]))
		case err != nil:
			return nil, unreadable(l.must("predict.bad_cell", r.line, features[i]))
		}
		out[i] = x
	}
	return out, nil
}

// otherFile says what a file is that is no text of rows.
func (l *language) otherFile(text string) error {
	switch {
	case strings.HasPrefix(text, "PK\x03\x04"):
		return unreadable(l.must("predict.spreadsheet"))
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "\xfe\xff"):
		return unreadable(l.must("predict.utf16"))
	case strings.HasPrefix(text, "\x1f\x8b"):
		return unreadable(l.must("predict.compressed"))
	}
	return nil
}

// numeric reports whether a line has numbers, which a line of names has not.
func numeric(cells []string) bool {
	for _, cell := range cells {
		if _, err := (marks{}).read(cell); !errors.Is(err, errNotANumber) {
			return true
		}
	}
	return false
}

// columns finds each feature among the names of the first line.
func (l *language) columns(names, features []string) ([]int, error) {
	at := map[string]int{}
	for i, name := range names {
		at[strings.TrimSpace(name)] = i
	}
	order := make([]int, len(features))
	for i, f := range features {
		column, ok := at[f]
		if !ok {
			return nil, unreadable(l.must("predict.no_column", f, found(names)))
		}
		order[i] = column
	}
	return order, nil
}

// found shows the names of a first line, or their beginning.
func found(names []string) string {
	const most = 300
	text := []rune(strings.Join(names, ", "))
	if len(text) > most {
		text = append(text[:most], '…')
	}
	return string(text)
}

// quotes says where quotes are in the wrong place, which is all that keeps rows from being told apart.
func (l *language) quotes(err error) error {
	var wrong *csv.ParseError
	if !errors.As(err, &wrong) {
		return err
	}
	return unreadable(l.must("predict.bad_csv", wrong.Line))
}
