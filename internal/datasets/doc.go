// Package datasets makes, reads and removes datasets. A dataset is a row of the catalogue and a
// Parquet file <id>.parquet; the rows of a generated dataset also lie in the database, and its file
// is a copy that can be made again. Imported data lies in its file alone.
//
//	generate: begin ── draw ─> insert ─> copy ──> file gets its name ──> finish
//	import:   read the file to its end ──> begin ──> file gets its name ──> finish
//
// A dataset is building, and invisible, until finish. What an error leaves is removed at once; what
// the death of a process leaves is removed by Sweep: it belongs to a builder that is not alive, or
// it is a file without a row.
package datasets
