package webui

import (
	"fmt"
	"maps"
	"strconv"
)

// listing is where a list goes on that shows a part of what there is.
type listing struct {
	Of     string // what it lists, by which its words are found
	Part   string // of the page, that has it
	Total  int64
	Older  string // where older ones are
	Newest string // where the newest are, if these are not
	None   string // what there is to say if nothing is listed
}

// before is the id that the address names for what is older, 0 if it names none.
func (v *visit) before() int64 {
	id, _ := strconv.ParseInt(v.query.Get("before"), 10, 64) // no number: none
	return max(id, 0)
}

// At is a part of the page with another value in its address, or without that value if it is empty.
func (v *visit) At(part, name string, value any) string {
	q := maps.Clone(v.query)
	q.Del("done") // is told once
	q.Set(name, fmt.Sprint(value))
	if q.Get(name) == "" {
		q.Del(name)
	}
	return v.home + "?" + q.Encode() + "#" + part
}

// cut leaves of a list what is shown, and says where it goes on: it was asked for with one more, which is there if it
// does. Id is by what the API knows it.
func cut[T any](v *visit, l *listing, all []T, most int, id func(T) int64) []T {
	if len(all) > most {
		all = all[:most]
		l.Older = v.At(l.Part, "before", id(all[most-1]))
	}
	if v.query.Has("before") {
		l.Newest = v.At(l.Part, "before", "")
	}
	switch {
	case len(all) > 0:
		l.None = ""
	case l.Newest != "":
		l.None = v.must("list.past")
	}
	return all
}
