package notify

import (
	"cmp"
	"strings"

	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// worded is an event with its words. One that an earlier program left in the queue has them already, and what
// has no words is left out: half a message is better than none.
func worded(l *wording.Language, e ml.Event) ml.Event {
	topic, _ := l.Sentence("topic."+string(e.Topic), nil)
	e.Footer = strings.Trim("IA Continu · "+cmp.Or(topic, string(e.Topic)), " ·")
	if len(e.Says) == 0 {
		return e
	}
	e.Title, _ = l.Sentence(e.Says[0].Said())
	var text []string
	for _, r := range e.Says[1:] {
		if s, ok := wording.Text(l, []ml.Remark{r}); ok {
			text = append(text, s)
		}
	}
	e.Text, e.Fields = strings.Join(text, " "), nil
	for _, r := range e.Figures {
		if name, value, ok := wording.Figure(l, r); ok {
			e.Fields = append(e.Fields, ml.EventField{Name: name, Value: value})
		}
	}
	return e
}

// refused is an error for who asked for a message, which can be put into other words.
func refused(cause error, what string, values map[string]any) error {
	text, _ := wording.In("en").Sentence(what, values)
	return &ml.Error{Code: ml.CodeUnprocessed, Message: text, Remarks: []ml.Remark{{Code: what, Values: values}}, Err: cause}
}
