package tabular

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// Fingerprint is a digest of a table: of its schema and of every column. It does not depend on how
// the rows were cut into batches, nor on the codes that the classes had while they were streamed.
type Fingerprint struct {
	columns []hash.Hash
	targets [2]hash.Hash // of the codes, and of the codes exchanged
	flipped []uint8
}

// NewFingerprint begins a digest of k features.
func NewFingerprint(k int) *Fingerprint {
	f := &Fingerprint{columns: make([]hash.Hash, k), targets: [2]hash.Hash{sha256.New(), sha256.New()}}
	for j := range f.columns {
		f.columns[j] = sha256.New()
	}
	return f
}

// Add takes in rows.
func (f *Fingerprint) Add(rows Rows) {
	for j, values := range rows.Features {
		f.columns[j].Write(floatBytes(values))
	}
	f.flipped = append(f.flipped[:0], rows.Target...)
	for i := range f.flipped {
		f.flipped[i] ^= 1
	}
	f.targets[0].Write(rows.Target)
	f.targets[1].Write(f.flipped)
}

// Sum is the digest of the rows so far, hexadecimal: the SHA-256 of the schema as JSON followed by
// the SHA-256 of each feature (float64, little-endian) and of the labels (a byte each). s has the
// classes in the order of their labels; codes are the values as the rows were coded.
func (f *Fingerprint) Sum(s Schema, codes [2]string) string {
	h := sha256.New()
	h.Write([]byte(s.marshal()))
	for _, c := range f.columns {
		h.Write(c.Sum(nil))
	}
	target := f.targets[0]
	if codes != s.Classes {
		target = f.targets[1]
	}
	h.Write(target.Sum(nil))
	return hex.EncodeToString(h.Sum(nil))
}
