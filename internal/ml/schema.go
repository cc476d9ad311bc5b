package ml

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
)

// Schema says what one row of data is: k named numeric features and a target of two classes. It is
// pinned to each dataset and to each model version.
type Schema struct {
	// Features are the names of the k features in the order in which a row lists them.
	Features []string `json:"features"`
	// Target is the name of the column that is predicted.
	Target string `json:"target"`
	// Classes are the two values of the target as written in the data; the index is the label.
	Classes [2]string `json:"classes"`
}

// GeneratedSchema is the schema of the data that the platform generates by itself.
func GeneratedSchema() Schema {
	return Schema{Features: []string{"feature1", "feature2"}, Target: "target", Classes: [2]string{"0", "1"}}
}

// Equal reports whether both schemas describe the same rows.
func (s Schema) Equal(o Schema) bool {
	return s.Target == o.Target && s.Classes == o.Classes && slices.Equal(s.Features, o.Features)
}

// Key is a short digest of the schema, equal for equal schemas: 16 hexadecimal digits.
func (s Schema) Key() string {
	b, _ := json.Marshal(s) // strings alone: cannot fail
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Columns are the values of n rows, column by column.
type Columns struct {
	// Features holds k slices of n values.
	Features [][]float64
	// Target holds n labels, 0 or 1.
	Target []uint8
}

// Len is the number of rows.
func (c Columns) Len() int { return len(c.Target) }

// Slice returns the rows from lo up to hi, sharing memory with c.
func (c Columns) Slice(lo, hi int) Columns {
	out := Columns{Features: make([][]float64, len(c.Features)), Target: c.Target[lo:hi]}
	for j, f := range c.Features {
		out.Features[j] = f[lo:hi]
	}
	return out
}
