package webui

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

var (
	errNotANumber = errors.New("webui: not a number")
	errUnclear    = errors.New("webui: a number that can be read in two ways")
)

var (
	numberForm = regexp.MustCompile(`^[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?$`)
	spacedForm = regexp.MustCompile(`^[+-]?[1-9]\d{0,2}(?: \d{3})+(?:[.,]\d*)?$`)
	commaForm  = regexp.MustCompile(`^[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?$`)
	threeForm  = regexp.MustCompile(`^[+-]?[1-9]\d*[.,]\d{3}$`) // three digits behind what may part groups or begin a fraction
)

// signs that are several in print and one here: the spaces that part groups of digits, and minus.
var signs = strings.NewReplacer("\u00a0", " ", "\u2009", " ", "\u202f", " ", "\u2212", "-")

// ungrouped is a number without the spaces between its groups of three digits: they can be nothing else.
func ungrouped(text string) string {
	text = strings.TrimSpace(signs.Replace(text))
	if spacedForm.MatchString(text) {
		text = strings.ReplaceAll(text, " ", "")
	}
	return text
}

// marks are what the commas and points in numbers are known to be for: a language says it of its own, and rows
// of theirs show it.
type marks struct {
	groups    bool // some commas part groups
	fractions bool // some commas begin a fraction
	points    bool // some points do
}

// readNumber reads what people type as the page writes numbers: in English 1,234.5 and, where the comma can
// be nothing else, 2,5; in French 1 234,5 and 1234.5.
func (l *language) readNumber(text string) (float64, error) {
	return marks{groups: l.Code == "en", fractions: l.Code == "fr", points: true}.read(text)
}

// see learns from a cell, if it shows what a mark is for.
func (m *marks) see(cell string) {
	cell = ungrouped(cell)
	point, comma := strings.Contains(cell, "."), strings.Contains(cell, ",")
	switch {
	case commaForm.MatchString(cell):
		m.groups = m.groups || onlyGroups(cell)
		m.points = m.points || point
	case numberForm.MatchString(cell):
		m.fractions = m.fractions || comma
		m.points = m.points || point && !threeForm.MatchString(cell)
	}
}

func (m marks) read(text string) (float64, error) {
	text = ungrouped(text)
	switch comma := strings.Contains(text, ","); {
	case commaForm.MatchString(text) && (onlyGroups(text) || !m.fractions && (m.groups || m.points)):
		text = strings.ReplaceAll(text, ",", "")
	case commaForm.MatchString(text) && (m.groups || !m.fractions),
		threeForm.MatchString(text) && comma && m.groups,
		threeForm.MatchString(text) && !comma && m.fractions && !m.points:
		return 0, errUnclear
	}
	if !numberForm.MatchString(text) {
		return 0, errNotANumber
	}
	x, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	if err != nil { // out of range: the form is right by now
		return 0, errNotANumber
	}
	return x, nil
}

// onlyGroups reports whether the commas of a number can be nothing but between groups.
func onlyGroups(text string) bool {
	return strings.Contains(text, ".") || strings.Count(text, ",") > 1
}
