package main

import (
	"errors"
	"fmt"
	"strings"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// describe words an error for the terminal: what is wrong, field by field.
func describe(err error) string {
	var b strings.Builder
	if p := api.AsProblem(err); p != nil {
		b.WriteString(p.Error())
		return b.String()
	}
	var coded *ml.Error
	if errors.As(err, &coded) {
		b.WriteString(coded.Message)
		for _, f := range coded.Fields {
			fmt.Fprintf(&b, "\n  %s: %s", strings.TrimPrefix(f.Location, "body."), f.Message)
		}
		return b.String()
	}
	return err.Error()
}
