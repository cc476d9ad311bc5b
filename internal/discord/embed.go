package discord

import (
	"cmp"
	"strings"
	"unicode/utf16"

	"iacontinu/internal/ml"
)

// Discord's limits on an embed, in UTF-16 code units as it counts them.
// https://discord.com/developers/docs/resources/message#embed-object-embed-limits
const (
	maxTitle       = 256
	maxDescription = 4096
	maxFields      = 25
	maxFieldName   = 256
	maxFieldValue  = 1024
	maxFooter      = 2048
	maxEmbed       = 6000 // title, description, footer, and all names and values together
)

const (
	ellipsis = "…" // one unit
	blank    = "-" // stands for an empty value, which Discord refuses
	// inlineValue is how long a value may be to stand beside another one.
	inlineValue = 40
)

// message is the body of a webhook call.
type message struct {
	Embeds          []embed         `json:"embeds"`
	AllowedMentions allowedMentions `json:"allowed_mentions"`
}

// allowedMentions with an empty list: no text of ours may ring anybody's phone.
type allowedMentions struct {
	Parse []string `json:"parse"`
}

type embed struct {
	Title       string  `json:"title,omitempty"`
	Description string  `json:"description,omitempty"`
	Color       int     `json:"color"`
	Fields      []field `json:"fields,omitempty"`
	Footer      footer  `json:"footer"`
	Timestamp   string  `json:"timestamp,omitempty"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type footer struct {
	Text string `json:"text"`
}

// newMessage lays an event out within the limits. The title comes first, then the footer, the text
// and the fields; whatever is beyond the limit of all together is cut off at the end of that order.
func newMessage(e ml.Event) message {
	left := budget(maxEmbed)
	m := embed{Color: color(e.Severity)}
	m.Title = left.spend(e.Title, maxTitle)
	m.Footer.Text = left.spend(cmp.Or(e.Footer, blank), maxFooter)
	m.Description = left.spend(e.Text, maxDescription)
	for _, f := range e.Fields[:min(len(e.Fields), maxFields)] {
		if left < 2 { // a name and a value of one unit each
			break
		}
		name := truncate(orBlank(f.Name), min(maxFieldName, int(left)-1))
		left -= budget(units(name))
		value := left.spend(orBlank(f.Value), maxFieldValue)
		m.Fields = append(m.Fields, field{Name: name, Value: value, Inline: units(value) <= inlineValue})
	}
	if !e.At.IsZero() {
		m.Timestamp = e.At.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	}
	return message{Embeds: []embed{m}, AllowedMentions: allowedMentions{Parse: []string{}}}
}

// color is the stripe beside the embed.
func color(s ml.Severity) int {
	switch s {
	case ml.SeveritySuccess:
		return 5814783
	case ml.SeverityFailure:
		return 15158332
	case ml.SeverityWarning:
		return 16776960
	case ml.SeverityDrift:
		return 16753920
	case ml.SeverityInfo:
	}
	return 3447003
}

// budget is how many units are left of an embed.
type budget int

// spend returns s cut to the limit and to what is left, and takes it off.
func (b *budget) spend(s string, limit int) string {
	s = truncate(s, min(limit, int(*b)))
	*b -= budget(units(s))
	return s
}

func orBlank(s string) string {
	if strings.TrimSpace(s) == "" {
		return blank
	}
	return s
}

// units is the length of s as Discord counts it.
func units(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// truncate makes s at most limit units long, with an ellipsis where something is missing. It never
// cuts a surrogate pair in two. Invalid bytes count one each, as which JSON will carry them.
func truncate(s string, limit int) string {
	if units(s) <= limit {
		return s
	}
	if limit < 1 {
		return ""
	}
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > limit-units(ellipsis) {
			return s[:i] + ellipsis
		}
	}
	return s
}
