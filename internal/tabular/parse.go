package tabular

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// parser turns blocks into rows. It is read only, and shared by the goroutines that parse.
type parser struct {
	header
	numbers *numbers
	delim   byte
	skipBad bool
	keepBad int
	// careful parses every row the slow way; tests hold both ways to each other.
	careful bool
}

// parse reads all rows of the block. known are the classes of the rows before it, if they are known
// already; assumed tells that they are not.
func (p *parser) parse(b *block, known classes, assumed bool) {
	p.reset(b)
	b.classes, b.assumed = known, assumed
	line := b.line
	for i := 0; i < b.n; {
		if b.data[i] == '\n' {
			i++
			line++
			continue
		}
		if !p.careful {
			if next := p.fastRow(b, i); next > 0 {
				i = next
				line++
				b.count++
				continue
			}
		}
		next, problem := p.slowRow(b, i, line)
		if b.err != nil {
			return
		}
		if problem != nil {
			b.badCount++
			if len(b.bad) < p.keepBad {
				b.bad = append(b.bad, *problem)
			}
			if !p.skipBad {
				return
			}
		}
		line += bytes.Count(b.data[i:next], newline)
		i = next
	}
}

func (p *parser) reset(b *block) {
	b.count, b.badCount, b.third = 0, 0, false
	b.bad = b.bad[:0]
	// A row has a byte or more of each feature and of the target, and a delimiter or line end behind
	// each column: more rows than this cannot be in the block.
	k := len(p.features)
	most := b.n/(len(p.columns)+k+1) + 1
	if cap(b.rows.Target) < most {
		b.rows.Target = make([]uint8, most)
		b.flat = make([]float64, most*k)
		b.rows.Features = make([][]float64, k)
	}
	b.rows.Target = b.rows.Target[:most]
	for j := range k {
		b.rows.Features[j] = b.flat[j*most : (j+1)*most]
	}
}

// fastRow reads the row at b.data[i], if it is as simple as most: on one line, without quotes, all
// numbers good and the class known. It returns the index behind the row, 0 if slowRow must look.
func (p *parser) fastRow(b *block, i int) int {
	data, delim, row, last := b.data, p.delim, b.count, len(p.slots)-1
	for j, slot := range p.slots {
		for data[i] == ' ' {
			i++
		}
		if slot >= 0 {
			v, next := p.numbers.parse(data, i)
			if next == 0 {
				return 0
			}
			b.rows.Features[slot][row] = v
			i = next
		} else {
			start := i
			for data[i] != delim && data[i] != '\n' && data[i] != '"' {
				i++
			}
			if slot == slotTarget {
				code, ok := b.classes.code(trimEnd(data[start:i]))
				if !ok {
					return 0
				}
				b.rows.Target[row] = code
			}
			if data[i] == '\n' && i > start && data[i-1] == '\r' {
				i--
			}
		}
		if j == last {
			break
		}
		if data[i] != delim {
			return 0
		}
		i++
	}
	if data[i] == '\r' {
		i++
	}
	if data[i] != '\n' {
		return 0
	}
	return min(i+1, b.n)
}

// trimEnd takes off spaces, and the first half of a \r\n.
func trimEnd(s []byte) []byte {
	if n := len(s); n > 0 && s[n-1] == '\r' {
		s = s[:n-1]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// slowRow reads any row, and says what is wrong with it. It returns the index behind the row.
func (p *parser) slowRow(b *block, i, line int) (int, *RowError) {
	var next int
	var state recordState
	b.fields, next, state = scanRecord(b.data[:b.n], i, p.delim, b.fields[:0])
	fail := func(column int, f fault) (int, *RowError) {
		name := ""
		if column >= 0 && column < len(p.columns) {
			name = p.columns[column]
		}
		e := f.at(line, name)
		return next, &e
	}
	last := b.fields[len(b.fields)-1]
	switch {
	case state == recordOpenQuote:
		open := line + bytes.Count(b.data[i:last.start], newline)
		b.err = fileErrorf("file.row_open", told{"line": open}, "the quotes that open on line %d are never closed", open)
		return next, nil
	case state == recordBroken && last.quoted:
		return fail(len(b.fields)-1, fault{code: "row.after_quote", text: "text after the closing quote"})
	case state == recordBroken:
		return fail(len(b.fields)-1, fault{code: "row.inner_quote", text: "a quote inside a field that is not in quotes"})
	case blank(b.data, b.fields):
		return next, nil
	case len(b.fields) != len(p.columns):
		f := fieldsFault(len(b.fields), len(p.columns))
		if len(b.fields) == len(p.columns)+1 && len(last.text(b.data)) == 0 {
			f.code, f.text = "row.trailing", f.text+"; the row ends in a separator and the header does not: leave it out of the rows"
		}
		return fail(-1, f)
	}
	var target []byte
	targetColumn := 0
	for j, slot := range p.slots {
		if slot == slotIgnore {
			continue
		}
		text := b.fields[j].text(b.data)
		if slot == slotTarget {
			target, targetColumn = text, j
			continue
		}
		v, ok := p.number(b, text)
		if !ok {
			if v, ok = p.number(b, []byte(ungrouped(string(text)))); !ok {
				f, _ := p.wrong(string(text))
				return fail(j, f)
			}
		}
		b.rows.Features[slot][b.count] = v
	}
	code, ok := b.classes.code(target)
	if !ok {
		target = []byte(oneLine(string(target)))
		code, ok = b.classes.code(target)
	}
	if !ok {
		var f fault
		if code, f = p.newClass(b, target, line); f.code != "" {
			return fail(targetColumn, f)
		}
	}
	b.rows.Target[b.count] = code
	b.count++
	return next, nil
}

// number is the value of a text that is a number from end to end.
func (p *parser) number(b *block, text []byte) (float64, bool) {
	b.text = append(append(b.text[:0], text...), paddingBytes...)
	v, end := p.numbers.parse(b.text, 0)
	return v, end != 0 && end == len(text)
}

// newClass takes in a value of the target that was not seen before, or gives the reason why not.
func (p *parser) newClass(b *block, value []byte, line int) (code uint8, f fault) {
	switch {
	case len(value) == 0:
		return 0, fault{code: "row.empty", text: "empty"}
	case len(value) > maxName:
		f = faultOf("row.long", fmt.Sprintf("longer than %d bytes", maxName), quote(string(value)))
		f.values["most"] = maxName
		return 0, f
	case !utf8.Valid(value):
		return 0, faultOf("row.not_utf8", "not UTF-8", quote(string(value)))
	}
	code, ok := b.classes.add(string(value), line)
	if !ok {
		b.third = true
		c := &b.classes
		shown, first, second := quote(string(value)), quote(c.values[0]), quote(c.values[1])
		text := fmt.Sprintf("a third value %s, after %s (line %d) and %s (line %d): a target has two", shown, first, c.lines[0], second, c.lines[1])
		return 0, fault{"row.third", text, map[string]any{
			"value": shown, "first": first, "first_line": c.lines[0], "second": second, "second_line": c.lines[1],
		}}
	}
	return code, fault{}
}
