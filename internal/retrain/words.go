package retrain

import (
	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// words puts remarks into the language of records, logs and the API's texts.
type words struct{ *wording.Language }

func english() words { return words{wording.In("en")} }

func (w words) joined(remarks []ml.Remark) string {
	text, _ := wording.Joined(w.Language, remarks)
	return text
}

func (w words) text(remarks []ml.Remark) string {
	text, _ := wording.Text(w.Language, remarks)
	return text
}

// refused is a coded error that can be put into other words.
func refused(code ml.Code, what string, values map[string]any) *ml.Error {
	remarks := []ml.Remark{{Code: what, Values: values}}
	return &ml.Error{Code: code, Message: english().joined(remarks), Remarks: remarks}
}
