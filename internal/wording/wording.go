package wording

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/feature/plural"
	xlanguage "golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"
)

// Language puts into words. It may be used by many goroutines.
type Language struct {
	tag     xlanguage.Tag
	words   map[string]string
	printer *message.Printer
}

// Codes are the languages that there are, the first for who names none.
func Codes() []string { return []string{"en", "fr"} }

// In is the language of a code, English if there is none of that code.
func In(code string) *Language {
	if code == "fr" {
		return &Language{tag: xlanguage.French, words: french(), printer: message.NewPrinter(xlanguage.French)}
	}
	return &Language{tag: xlanguage.English, words: english(), printer: message.NewPrinter(xlanguage.English)}
}

// Remark is something to say.
type Remark interface {
	Said() (code string, values map[string]any)
}

// Sentence words a code. It returns false for a code that has no words here, as of a newer program, and where a
// value is missing.
func (l *Language) Sentence(code string, values map[string]any) (string, bool) {
	text, ok := l.words[l.form(code, values)]
	if !ok {
		return "", false
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		placeholder, after, _ := strings.Cut(rest, "}")
		name, kind, _ := strings.Cut(placeholder, ":")
		v, ok := values[name]
		if !ok {
			return "", false
		}
		b.WriteString(l.value(v, kind))
		text = after
	}
}

// form is the key of the form that fits the number n.
func (l *Language) form(code string, values map[string]any) string {
	n, ok := figure(values["n"])
	if _, forms := l.words[code+".other"]; !ok || !forms {
		return code
	}
	if plural.Cardinal.MatchPlural(l.tag, int(n), 0, 0, 0, 0) == plural.One {
		return code + ".one"
	}
	return code + ".other"
}

// Joined words remarks one after the other, as a part of something.
func Joined[R Remark](l *Language, remarks []R) (string, bool) {
	sentences, ok := all(l, remarks)
	return strings.Join(sentences, "; "), ok
}

// Text words remarks as whole sentences.
func Text[R Remark](l *Language, remarks []R) (string, bool) {
	sentences, ok := all(l, remarks)
	for i, s := range sentences {
		first, size := utf8.DecodeRuneInString(s)
		if word, _, _ := strings.Cut(s, " "); !strings.ContainsAny(word, "0123456789") { // a name such as v2 stays as it is
			s = string(unicode.ToUpper(first)) + s[size:]
		}
		if !strings.ContainsAny(s[len(s)-1:], ".!?") {
			s += "."
		}
		sentences[i] = s
	}
	return strings.Join(sentences, " "), ok
}

// all words each remark; false if one has no words, and there is nothing to say.
func all[R Remark](l *Language, remarks []R) ([]string, bool) {
	var out []string
	for _, r := range remarks {
		s, ok := l.Sentence(r.Said())
		if !ok || s == "" {
			return nil, false
		}
		out = append(out, s)
	}
	return out, len(out) > 0
}

// Figure words the name and the value of a figure: <code> is its name, and its value is as <code>.value says,
// or what value is.
func Figure[R Remark](l *Language, r R) (name, value string, ok bool) {
	code, values := r.Said()
	if name, ok = l.Sentence(code, values); !ok {
		return "", "", false
	}
	if value, ok = l.Sentence(code+".value", values); ok {
		return name, value, true
	}
	v, ok := values["value"]
	return name, l.value(v, ""), ok
}

// leastChance is the chance below which none is told from another.
const leastChance = 1e-4

// value writes a value the way of a kind.
func (l *Language) value(v any, kind string) string {
	x, isNumber := figure(v)
	digits, err := strconv.Atoi(kind)
	switch {
	case !isNumber && kind != "":
		if words, ok := l.words[kind+"."+fmt.Sprint(v)]; ok {
			return words
		}
		return fmt.Sprint(v)
	case !isNumber:
		return fmt.Sprint(v)
	case kind == "p" && x > 0 && x < leastChance:
		return "<\u00a0" + l.Significant(leastChance)
	case kind == "share":
		return l.printer.Sprint(number.Percent(x, number.MaxFractionDigits(2)))
	case kind == "time":
		return l.duration(time.Duration(x * float64(time.Second)))
	case kind == "id":
		return strconv.FormatFloat(x, 'f', -1, 64)
	case kind != "" && err == nil:
		return l.printer.Sprint(number.Decimal(x, number.MaxFractionDigits(digits), number.MinFractionDigits(digits)))
	case kind == "" && x == math.Trunc(x):
		return l.printer.Sprint(number.Decimal(x, number.MaxFractionDigits(0)))
	}
	return l.Significant(x)
}

// Significant writes a measured value with at most three digits that count.
func (l *Language) Significant(x float64) string {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return l.printer.Sprint(number.Decimal(x))
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(x))))
	if digits > 6 {
		return l.printer.Sprint(number.Scientific(x, number.MaxFractionDigits(1)))
	}
	return l.printer.Sprint(number.Decimal(x, number.MaxFractionDigits(max(digits, 0))))
}

// duration writes a time with its two largest units: 1 min 20 s.
func (l *Language) duration(d time.Duration) string {
	units := []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	d = max(d.Round(time.Second), 0)
	var parts []string
	for i, u := range units {
		n := d / u.of
		d -= n * u.of
		if n > 0 || len(parts) == 0 && i == len(units)-1 {
			parts = append(parts, l.printer.Sprint(int64(n))+l.words["time."+u.name])
		}
		if len(parts) == 2 || len(parts) == 1 && n == 0 {
			break
		}
	}
	return strings.Join(parts, " ")
}

// figure is a value as a number. From JSON, all are of one type.
func figure(v any) (float64, bool) {
	switch x := v.(type) {
	case float64:
		return x, true
	case int:
		return float64(x), true
	case int64:
		return float64(x), true
	}
	return 0, false
}

// Keys are the codes of all sentences, and what belongs to them.
func (l *Language) Keys() []string { return slices.Sorted(maps.Keys(l.words)) }
