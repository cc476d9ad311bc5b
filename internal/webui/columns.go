package webui

import (
	"net/url"
	"slices"
	"strings"
)

// columnField begins the names of the form's fields that are columns of the model.
const columnField = "f."

// typedIn are the values of a form's columns, by their names.
func typedIn(form url.Values) map[string]string {
	typed := map[string]string{}
	for field, values := range form {
		if name, ok := strings.CutPrefix(field, columnField); ok {
			typed[name] = values[0]
		}
	}
	return typed
}

// compareColumns notes which columns the form that was sent lacks and which it has for nothing, and reports whether
// there are any: then it was opened when another model served.
func (d *predictData) compareColumns(features []string) bool {
	d.Fresh, d.Gone = nil, nil
	if d.Values == nil { // nothing was sent
		return false
	}
	for _, name := range features {
		if _, ok := d.Values[name]; !ok {
			d.Fresh = append(d.Fresh, name)
		}
	}
	for name := range d.Values {
		if !slices.Contains(features, name) {
			d.Gone = append(d.Gone, name)
		}
	}
	slices.Sort(d.Gone)
	return len(d.Fresh)+len(d.Gone) > 0
}
