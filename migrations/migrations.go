// Package migrations holds the numbered steps that bring a database to the present schema, and
// schema.sql, the schema that they must add up to.
//
// Step 1 makes the tables of the earlier Python system as that system made them, unless they are
// there already: a file of that system is opened and upgraded in place by the steps after it.
package migrations

import "embed"

//go:embed 0*.sql
var files embed.FS

// Files returns the numbered SQL files, in the form that goose reads.
func Files() embed.FS { return files }
