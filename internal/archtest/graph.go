package archtest

import (
	"maps"
	"slices"
)

// graph lists the imports between the packages of this module, tests left out, one arrow a line; a
// package that imports none stands alone.
func graph(files []*file) []string {
	arrows := map[string]map[string]bool{}
	for _, f := range files {
		if f.test {
			continue
		}
		if arrows[f.folder] == nil {
			arrows[f.folder] = map[string]bool{}
		}
		for _, imported := range f.internalImports() {
			arrows[f.folder][imported] = true
		}
	}
	var lines []string
	for _, from := range slices.Sorted(maps.Keys(arrows)) {
		if len(arrows[from]) == 0 {
			lines = append(lines, from)
		}
		for _, to := range slices.Sorted(maps.Keys(arrows[from])) {
			lines = append(lines, from+" -> "+to)
		}
	}
	return lines
}
