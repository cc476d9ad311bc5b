package webui

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/feature/plural"
	xlanguage "golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"iacontinu/internal/wording"
)

//go:embed lang/*.json
var catalogues embed.FS

// languages that pages are written in; the first is for browsers that ask for another.
var tags = []xlanguage.Tag{xlanguage.English, xlanguage.French}

// language is how a page speaks: its words, numbers and dates.
type language struct {
	Code    string
	tag     xlanguage.Tag
	words   map[string]string
	printer *message.Printer
	wording *wording.Language // what the platform says of itself
}

func loadLanguages() (map[string]*language, error) {
	out := map[string]*language{}
	for _, tag := range tags {
		l := &language{Code: tag.String(), tag: tag, printer: message.NewPrinter(tag), wording: wording.In(tag.String())}
		text, err := catalogues.ReadFile("lang/" + l.Code + ".json")
		if err != nil {
			return nil, fmt.Errorf("webui: %w", err)
		}
		if err := json.Unmarshal(text, &l.words); err != nil {
			return nil, fmt.Errorf("webui: lang/%s.json: %w", l.Code, err)
		}
		out[l.Code] = l
	}
	return out, nil
}

// chosen is the language of a request: the one chosen by its cookie, else what the browser asks for.
func chosen(r *http.Request) string {
	if c, err := r.Cookie(languageCookie); err == nil {
		if i := slices.IndexFunc(tags, func(t xlanguage.Tag) bool { return t.String() == c.Value }); i >= 0 {
			return c.Value
		}
	}
	_, i := xlanguage.MatchStrings(xlanguage.NewMatcher(tags), r.Header.Get("Accept-Language"))
	return tags[i].String()
}

// t gives a text by its key, with its values put in.
func (l *language) t(key string, values ...any) (string, error) {
	text, ok := l.words[key]
	if !ok {
		return "", fmt.Errorf("webui: lang/%s.json lacks %q", l.Code, key)
	}
	if len(values) == 0 {
		return text, nil
	}
	return l.printer.Sprintf(message.Key(key, text), values...), nil
}

// must is t for keys that a test knows to be there; one that is not is shown as it is.
func (l *language) must(key string, values ...any) string {
	text, err := l.t(key, values...)
	if err != nil {
		return key
	}
	return text
}

// or is the text of a key, or what stands for it if there is no such text: names of kinds that a newer
// API may have.
func (l *language) or(key, otherwise string) string {
	if text, ok := l.words[key]; ok {
		return text
	}
	return otherwise
}

// count gives the text of key.one or key.other for a number, which is put in.
func (l *language) count(key string, n int64) (string, error) {
	form := ".other"
	if plural.Cardinal.MatchPlural(l.tag, int(n), 0, 0, 0, 0) == plural.One {
		form = ".one"
	}
	return l.t(key+form, n)
}

func (l *language) number(digits int, v float64) string {
	return l.printer.Sprint(number.Decimal(v, number.MaxFractionDigits(digits), number.MinFractionDigits(digits)))
}

// percent writes a share so that it is told apart from its neighbours: 99.12%, 88%.
func (l *language) percent(digits int, share float64) string {
	return l.printer.Sprint(number.Percent(share, number.MaxFractionDigits(digits), number.MinFractionDigits(digits)))
}

// share writes a share with as many digits as it needs, to two after the point.
func (l *language) share(of float64) string {
	return l.printer.Sprint(number.Percent(of, number.MaxFractionDigits(2)))
}

// chance writes a probability; below a ten-thousandth it says no more than that.
func (l *language) chance(p float64) string {
	const least = 1e-4
	if p < least {
		return "<\u00a0" + l.significant(least)
	}
	return l.significant(p)
}

// significant writes a measured value with at most three digits that count.
func (l *language) significant(v float64) string { return l.wording.Significant(v) }

// value writes a number as it was given, however many digits that takes; one that only a machine can have
// given, such as a third, with six digits that count.
func (l *language) value(v float64) string {
	const shortest, counting = 12, 6
	digits, power, _ := strings.Cut(strconv.FormatFloat(v, 'e', -1, 64), "e")
	exponent, err := strconv.Atoi(power)
	if err != nil { // no number
		return l.number(0, v)
	}
	given := len(strings.NewReplacer("-", "", ".", "").Replace(digits))
	if given > shortest {
		given = counting
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'e', given-1, 64), 64) // of our own making
	}
	if exponent < -counting || exponent >= shortest {
		return l.printer.Sprint(number.Scientific(v, number.MaxFractionDigits(given-1)))
	}
	return l.printer.Sprint(number.Decimal(v, number.MaxFractionDigits(max(given-1-exponent, 0))))
}

// Moments are written in UTC, and by app.js in the time zone of the browser.

func (l *language) moment(t time.Time) string {
	t = t.UTC()
	return l.day(t) + t.Format(" 2006, 15:04 UTC")
}

// day is that of a moment in its zone.
func (l *language) day(t time.Time) string {
	return fmt.Sprintf("%d %s", t.Day(), l.must("month."+t.Format("01")))
}
