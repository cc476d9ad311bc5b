package tabular

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Schema says what the columns of a Parquet file are.
type Schema struct {
	// Features are the names of the k features, in order.
	Features []string `json:"features"`
	// Target is the name of the column with the classes.
	Target string `json:"target"`
	// Classes are the values of the target by their codes.
	Classes [2]string `json:"classes"`
}

// schemaKey is where the schema lies in the key-value metadata of a Parquet file.
const schemaKey = "iacontinu.schema"

func (s Schema) validate() error {
	switch {
	case len(s.Features) == 0:
		return errors.New("the schema has no features")
	case s.Target == "":
		return errors.New("the schema has no target")
	case s.Classes[0] == s.Classes[1]:
		return fmt.Errorf("the schema has one class only: %s", quote(s.Classes[0]))
	}
	return nil
}

func (s Schema) marshal() string {
	b, _ := json.Marshal(s) // strings alone: cannot fail
	return string(b)
}

// codes tells which label each code of the file becomes, for classes in the order of their labels.
func (s Schema) codes(classes [2]string) (labels [2]uint8, err error) {
	switch classes {
	case s.Classes, [2]string{}:
		return [2]uint8{0, 1}, nil
	case [2]string{s.Classes[1], s.Classes[0]}:
		return [2]uint8{1, 0}, nil
	}
	return labels, fmt.Errorf("its classes are %s and %s, not %s and %s",
		quote(s.Classes[0]), quote(s.Classes[1]), quote(classes[0]), quote(classes[1]))
}
