package predict

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"time"
)

// newID returns a UUID version 7 (RFC 9562, section 5.7): 48 bits of milliseconds, then 12 bits of
// the millisecond's fraction (its method 3), then 62 random bits. Ids of one process sort by time
// to a quarter of a microsecond, which keeps any index over them append-only, and no lock or system
// call is needed to make one. They name a row and guard nothing, so math/rand's ChaCha8 is enough.
func newID(now time.Time) string {
	ns := now.UnixNano()
	ms := ns / int64(time.Millisecond)
	fraction := (ns % int64(time.Millisecond)) << 12 / int64(time.Millisecond)

	var id [16]byte
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(fraction))
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()>>2|1<<63)

	var digits [32]byte
	hex.Encode(digits[:], id[:])
	text := [36]byte{8: '-', 13: '-', 18: '-', 23: '-'}
	copy(text[:8], digits[:8])
	copy(text[9:13], digits[8:12])
	copy(text[14:18], digits[12:16])
	copy(text[19:23], digits[16:20])
	copy(text[24:], digits[20:])
	return string(text[:])
}
