package api

// Remark is what a text beside it says, for whoever words it in another language.
type Remark struct {
	Code   string         `json:"code" doc:"What is said, such as gate.no_worse"`
	Values map[string]any `json:"values,omitempty" doc:"Figures and names for the sentence"`
}

// Said gives what is to be put into words.
func (r Remark) Said() (code string, values map[string]any) { return r.Code, r.Values }
