package tabular

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// floatBytes are the values as little-endian bytes: on most machines the memory they lie in.
func floatBytes(v []float64) []byte {
	if len(v) == 0 {
		return nil
	}
	if binary.NativeEndian.Uint16([]byte{1, 0}) == 1 {
		return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 8*len(v))
	}
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}
