package tabular

import (
	"bytes"
	"slices"
	"strings"
)

// What the values of a column are.
const (
	KindNumber = "number"
	KindText   = "text"
	KindEmpty  = "empty"
)

// Preview is what the beginning of a CSV file tells of it.
type Preview struct {
	Delimiter byte
	Decimal   byte
	Columns   []PreviewColumn
	// Target is the column that is most likely to be predicted, empty if none can be.
	Target string
	// Rows are the first ones as they are written; Read counts those that were looked at.
	Rows [][]string
	Read int
	// Problems are the first rows that an import would refuse.
	Problems []RowError
}

// PreviewColumn is a column of a preview.
type PreviewColumn struct {
	Name  string
	Kind  string
	Empty int // values that are missing
	// Values are the distinct values, if there are no more than three.
	Values []string
}

const (
	previewRows     = 10
	previewProblems = 20
	previewDistinct = 3
)

// NewPreview looks at the beginning of a CSV file. Unless it is the whole file, a last line without its end
// is left out. The error is a *FileError that says what is wrong with the header.
func NewPreview(head []byte, whole bool) (Preview, error) {
	o := CSVOptions{}.withDefaults()
	s := &blocks{r: bytes.NewReader(head), size: len(head) + 1, limit: o.MaxRecord}
	h, err := readHeader(s, o)
	if err != nil {
		return Preview{}, err
	}
	if len(h.columns) < 2 {
		return Preview{}, fileErrorf("file.one_column", told{"name": quote(h.columns[0])},
			"the file has one column, %s; a feature and a target are needed, separated by commas, semicolons or tabs", quote(h.columns[0]))
	}
	p := Preview{Delimiter: s.delim, Decimal: guessDecimal(s, h), Columns: make([]PreviewColumn, len(h.columns))}
	for j, name := range h.columns {
		p.Columns[j].Name = name
	}
	rows := p.read(s, whole)
	for j := range p.Columns {
		p.judge(j, rows)
	}
	slices.SortStableFunc(p.Problems, func(a, b RowError) int { return a.Line - b.Line })
	p.Problems = p.Problems[:min(len(p.Problems), previewProblems)]
	p.Target = p.guessTarget()
	return p, nil
}

// previewRow is a row with as many fields as there are columns.
type previewRow struct {
	line   int
	fields []string
}

func (p *Preview) read(s *blocks, whole bool) (rows []previewRow) {
	var fields []field
	for i := 0; i < len(s.tail); {
		start, line := i, s.line
		var state recordState
		fields, i, state = scanRecord(s.tail, i, s.delim, fields[:0])
		s.line += bytes.Count(s.tail[start:i], newline)
		if (state == recordOpen || state == recordOpenQuote) && !whole {
			break
		}
		broken := state == recordBroken || state == recordOpenQuote
		if !broken && blank(s.tail, fields) {
			continue
		}
		p.Read++
		switch {
		case broken:
			p.Problems = append(p.Problems, fault{code: "row.quote", text: "has a quote in the wrong place, or one that is never closed"}.at(line, ""))
			continue
		case len(fields) != len(p.Columns):
			p.Problems = append(p.Problems, fieldsFault(len(fields), len(p.Columns)).at(line, ""))
			continue
		}
		row := previewRow{line: line, fields: make([]string, len(fields))}
		for j, f := range fields {
			row.fields[j] = string(f.text(s.tail))
		}
		if rows = append(rows, row); len(p.Rows) < previewRows {
			p.Rows = append(p.Rows, row.fields)
		}
	}
	return rows
}

// judge tells what the values of a column are. One whose values are mostly numbers is a column of numbers
// with mistakes.
func (p *Preview) judge(j int, rows []previewRow) {
	c := &p.Columns[j]
	var numbers, texts int
	var wrong []RowError
	for _, r := range rows {
		v := r.fields[j]
		switch {
		case v == "":
			c.Empty++
			wrong = append(wrong, fault{code: "row.empty", text: "is empty"}.at(r.line, c.Name))
			continue
		case isDecimal(ungrouped(v)) || p.Decimal == ',' && isDecimal(swapped(ungrouped(v))):
			numbers++
		default:
			texts++
			wrong = append(wrong, fault{"row.not_a_number", quote(v) + " is not a number", map[string]any{"value": quote(v)}}.at(r.line, c.Name))
		}
		if len(c.Values) <= previewDistinct && !slices.Contains(c.Values, v) {
			c.Values = append(c.Values, v)
		}
	}
	if len(c.Values) > previewDistinct {
		c.Values = nil
	}
	switch {
	case numbers == 0 && texts == 0:
		c.Kind = KindEmpty
	case numbers > texts:
		c.Kind = KindNumber
		p.Problems = append(p.Problems, wrong...)
	default:
		c.Kind = KindText
	}
}

// targetNames are what people call the column that is predicted.
var targetNames = []string{"target", "label", "class", "outcome", "result", "y", "cible", "classe"}

// guessTarget chooses among the columns of two values: one with a telling name, else one of text, which
// could be no feature, else the last.
func (p *Preview) guessTarget() string {
	target, best := "", 0
	for _, c := range p.Columns {
		if len(c.Values) != 2 {
			continue
		}
		rank := 1
		if slices.Contains(targetNames, strings.ToLower(c.Name)) {
			rank = 3
		} else if c.Kind == KindText {
			rank = 2
		}
		if rank >= best {
			target, best = c.Name, rank
		}
	}
	return target
}
