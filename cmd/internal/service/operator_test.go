package service

import (
	"testing"

	"iacontinu/internal/ml"
)

func TestSchemaChange(t *testing.T) {
	t.Parallel()
	drawn := ml.Version{Name: "v1", Schema: ml.GeneratedSchema()}
	wide := ml.Version{Name: "v2", Schema: ml.Schema{
		Features: []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, Target: "kind", Classes: [2]string{"rose", "tulip"},
	}}
	for _, tt := range []struct {
		before, after ml.Version
		want          string
	}{
		{drawn, drawn, ""},
		{ml.Version{}, wide, ""}, // nothing served before
		{drawn, wide, "it takes 11 features (a, b, c, d, e, f, g, h, i, j, ...) for kind: rose or tulip; " +
			"the one before took 2 features (feature1, feature2) for target: 0 or 1"},
	} {
		if got := SchemaChange(tt.before, tt.after); got != tt.want {
			t.Errorf("from %s to %s: %q, want %q", tt.before.Name, tt.after.Name, got, tt.want)
		}
	}
}
