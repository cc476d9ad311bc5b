package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// describe words an error for the terminal: what is wrong, field by field.
func describe(err error) string {
	var b strings.Builder
	if p := api.AsProblem(err); p != nil {
		if p.Status == http.StatusUnauthorized { // nobody logs in here: the folder's key signs
			return "the platform that answers does not take the key of this folder: call this in the platform's folder, or set DATABASE_URL or JWT_SECRET_KEY as the platform has it"
		}
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
