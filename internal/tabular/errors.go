package tabular

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// RowError says what is wrong with one row of a file.
type RowError struct {
	// Line is the number of the physical line on which the row starts; the header is on line 1.
	Line int
	// Column is the name of the column, empty if the row as a whole is wrong.
	Column string
	Reason string
	// Code and Values are the reason for whoever words it in another language.
	Code   string
	Values map[string]any
}

// Remark is what an error says, for whoever words it in another language.
type Remark struct {
	Code   string
	Values map[string]any
}

// Remarks are what the error says.
func (e RowError) Remarks() []Remark {
	at := Remark{"file.bad_row", map[string]any{"line": e.Line}}
	if e.Column != "" {
		at = Remark{"file.bad_value", map[string]any{"line": e.Line, "column": quote(e.Column)}}
	}
	return []Remark{at, {e.Code, e.Values}}
}

// fault is a reason.
type fault struct {
	code, text string
	values     map[string]any
}

// faultOf is a reason with the value that it is about.
func faultOf(code, text, shown string) fault {
	return fault{code, text + ": " + shown, map[string]any{"value": shown}}
}

// fieldsFault is that of a row with another number of fields than the header.
func fieldsFault(fields, want int) fault {
	return fault{"row.fields", fmt.Sprintf("%d fields instead of %d", fields, want), map[string]any{"fields": fields, "want": want}}
}

func (f fault) at(line int, column string) RowError {
	return RowError{Line: line, Column: column, Reason: f.text, Code: f.code, Values: f.values}
}

// Error implements error.
func (e RowError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	}
	return fmt.Sprintf("line %d, column %s: %s", e.Line, quote(e.Column), e.Reason)
}

// FileError says why a file as a whole can't be read as a table.
type FileError struct {
	Reason string
	// Remarks are what the reason says.
	Remarks []Remark
}

// Error implements error.
func (e *FileError) Error() string { return e.Reason }

// told are the values of a reason.
type told map[string]any

func fileErrorf(code string, values told, format string, args ...any) *FileError {
	return &FileError{Reason: fmt.Sprintf(format, args...), Remarks: []Remark{{code, values}}}
}

// quote shows text from a file in a message, shortened. What is not UTF-8 is shown as it looks to who wrote it, on
// Windows most likely.
func quote(s string) string {
	const most = 60
	if !utf8.ValidString(s) {
		if read, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
			s = read
		}
	}
	if len(s) > most {
		cut := most
		for cut > most-utf8.UTFMax && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// list shows names in a message, the first fifty of them.
func list(names []string) string {
	const most = 50
	more := ""
	if len(names) > most {
		more = fmt.Sprintf(" and %d more", len(names)-most)
		names = names[:most]
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ") + more
}
