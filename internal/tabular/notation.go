package tabular

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sampleRows is how many rows at the start of a file tell its decimal sign.
const sampleRows = 1000

// guessDecimal finds out from the first rows what stands between the whole and the fraction of numbers.
// Where a comma separates the columns it is a point, and so it is where the rows leave it open.
func guessDecimal(s *blocks, h header) byte {
	if s.delim == ',' {
		return '.'
	}
	decimal := byte('.')
	var fields []field
	for i, rows := 0, 0; i < len(s.tail) && rows < sampleRows; rows++ {
		var state recordState
		fields, i, state = scanRecord(s.tail, i, s.delim, fields[:0])
		if state != recordComplete && !s.eof || len(fields) != len(h.slots) {
			continue
		}
		for j, f := range fields {
			text := ungrouped(string(f.text(s.tail)))
			switch {
			case h.slots[j] < 0:
			case strings.Contains(text, ".") && isDecimal(text):
				return '.'
			case isDecimal(swapped(text)) && !isGrouped(text):
				decimal = ','
			}
		}
	}
	return decimal
}

// wrong is the reason why text was refused as a feature. isText tells that it is no number in any
// notation.
func (p *parser) wrong(text string) (f fault, isText bool) {
	shown := quote(text)
	if text == "" {
		return fault{code: "row.empty", text: "empty"}, false
	}
	text = strings.ReplaceAll(text, minus, "-")
	switch strings.ToLower(strings.TrimLeft(text, "+-")) {
	case "nan", "inf", "infinity":
		return faultOf("row.not_finite", "NaN and infinities are not allowed", shown), false
	}
	point := text
	if p.numbers.point == ',' {
		point = strings.ReplaceAll(text, ",", ".")
	}
	if _, err := strconv.ParseFloat(point, 64); errors.Is(err, strconv.ErrRange) && !strings.ContainsAny(text, "xX") {
		return faultOf("row.out_of_range", "out of the range of a 64-bit number", shown), false
	}
	switch {
	case p.numbers.point == ',' && strings.Contains(text, ".") && isDecimal(text):
		reason := "a decimal point among decimal commas (then write a comma"
		if isGrouped(text) {
			reason = "a thousands separator (then leave it out) or " + reason
		}
		return faultOf("row.decimal_point", reason+"; if all numbers have points, do not say --decimal , or decimal=,)", shown), false
	case isDecimal(swapped(text)) && isGrouped(text):
		return faultOf("row.comma_or_groups", "a decimal comma (then say --decimal , or decimal=,) or a thousands separator (then leave it out)", shown), false
	case isDecimal(swapped(text)):
		return faultOf("row.decimal_comma", "a decimal comma, write a point or say --decimal , (decimal=, over HTTP)", shown), false
	case isGrouped(text):
		return faultOf("row.groups", "a thousands separator, write the number without", shown), false
	}
	return faultOf("row.not_a_number", "not a number", shown), true
}

// isDecimal reports whether text is a number with a decimal point, or without a fraction.
func isDecimal(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil && !strings.ContainsAny(text, "xX_nN")
}

// swapped is a number with a decimal comma written with a point; empty if it has not one comma.
func swapped(text string) string {
	if strings.Count(text, ",") != 1 {
		return ""
	}
	return strings.Replace(text, ",", ".", 1)
}

// spaces part groups of digits, and nothing else within a number.
const spaces = " \u00a0\u2009\u202f"

// minus is the sign of its own that word processors write before negative numbers.
const minus = "\u2212"

// ungrouped is a number as programs write it: with a hyphen for its minus and without the spaces between its groups
// of three digits. Other text stays no number.
func ungrouped(text string) string {
	text = strings.ReplaceAll(text, minus, "-")
	if !strings.ContainsAny(text, spaces) || !isGrouped(text) {
		return text
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(spaces, r) {
			return -1
		}
		return r
	}, text)
}

// isGrouped reports whether the whole part of a number is, or could be, in groups of three digits.
func isGrouped(text string) bool {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	text = strings.TrimLeft(text, "+-")
	i := strings.IndexFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	if i < 1 || i > 3 || text[0] == '0' {
		return false
	}
	separator, _ := utf8.DecodeRuneInString(text[i:])
	if !strings.ContainsRune(",.'\u2019"+spaces, separator) {
		return false
	}
	groups := strings.Split(text[i:], string(separator))[1:]
	last := len(groups) - 1
	if fraction := strings.IndexAny(groups[last], ",."); fraction >= 0 {
		if !digits(groups[last][fraction+1:]) {
			return false
		}
		groups[last] = groups[last][:fraction]
	}
	for _, g := range groups {
		if len(g) != 3 || !digits(g) {
			return false
		}
	}
	return true
}

// textColumns are the features that hold text in the row that was scanned last.
func (p *parser) textColumns(b *block) []string {
	var names []string
	for j, slot := range p.slots {
		if slot < 0 || j >= len(b.fields) {
			continue
		}
		text := string(b.fields[j].text(b.data))
		if _, isText := p.wrong(text); isText && !isDecimal(text) {
			names = append(names, p.columns[j])
		}
	}
	return names
}

// ignoreHint says how columns that are no numbers are left out, as a shell takes it. A name with a comma
// must stand alone.
func ignoreHint(names []string) string {
	if len(names) == 0 {
		return ""
	}
	var plain, flags []string
	for _, name := range names {
		if strings.Contains(name, ",") {
			flags = append(flags, "--ignore "+shellWord(name))
		} else {
			plain = append(plain, name)
		}
	}
	if plain != nil {
		flags = append(flags, "--ignore "+shellWord(strings.Join(plain, ",")))
	}
	return fmt.Sprintf("; columns that are no features are left out by %s (ignore=... over HTTP)", strings.Join(flags, " "))
}

// shellWord is text as one word of a command line.
func shellWord(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return r != ',' && r != '_' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}

// oneLine is text with one blank for each run of blanks and of what can't be printed: line ends, control
// characters, marks that turn the text around. What a spreadsheet wraps is a name all the same, and no
// terminal or log is led astray by it.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || !unicode.IsPrint(r)
	}), " ")
}
