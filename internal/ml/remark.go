package ml

// Remark is something that the platform says of itself, by a code and its figures and names: package wording
// has its sentences in each language.
type Remark struct {
	Code   string         `json:"code"`
	Values map[string]any `json:"values,omitempty"`
}

// Said gives what is to be put into words.
func (r Remark) Said() (code string, values map[string]any) { return r.Code, r.Values }
