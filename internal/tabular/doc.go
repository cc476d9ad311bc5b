// Package tabular reads and writes tables of numeric features with a target of two classes: CSV as
// people send it, and Parquet as the platform keeps it.
//
//	CSV ──blocks──> parse (a goroutine a core) ──in order──> Rows ──> ParquetWriter ──> file
//	                                                          └────> Fingerprint
//
// Everything is streamed: memory does not grow with the file. In a stream the two values of the
// target become known only on the way, so Rows carry codes in the order in which the values were
// first seen; ClassOrder says which value is class 0 and which is class 1, and ReadParquet maps the
// codes to it.
package tabular

// Rows are n rows, column by column.
type Rows struct {
	// Features holds k slices of n values.
	Features [][]float64
	// Target holds n codes, 0 or 1.
	Target []uint8
}

// Len is the number of rows.
func (r Rows) Len() int { return len(r.Target) }
