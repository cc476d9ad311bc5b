package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync/atomic"
	"time"

	"iacontinu/internal/ml"
)

// ways is how many places a token may take. More make it rarer that two busy tokens push each other
// out, and a miss slower.
const ways = 4

// cache remembers verified tokens by their SHA-256, so that memory holds no token. It is a table of
// a fixed size that is read without a lock: a token may lie in a few places that its hash names, and
// takes one of them from another token if all are taken. Writers must not write at the same time.
type cache struct {
	places []atomic.Pointer[verified]
	mask   uint64
	victim uint64
}

type verified struct {
	key   [sha256.Size]byte
	until int64 // unix nanoseconds
	who   ml.Identity
}

// newCache returns a cache of at least size places.
func newCache(size int) *cache {
	n := uint64(1) << bits.Len64(uint64(max(size, ways)-1))
	return &cache{places: make([]atomic.Pointer[verified], n), mask: n - 1}
}

// keyOf is the SHA-256 of a token, which must not be longer than maxToken.
func keyOf(token string) [sha256.Size]byte {
	var text [maxToken]byte // on the stack: a conversion to []byte would be on the heap
	return sha256.Sum256(text[:copy(text[:], token)])
}

func (c *cache) place(key *[sha256.Size]byte, way uint64) *atomic.Pointer[verified] {
	return &c.places[(binary.LittleEndian.Uint64(key[:])+way)&c.mask]
}

// get returns who a token is from, nil if it is not there or has expired.
func (c *cache) get(key *[sha256.Size]byte, now time.Time) *ml.Identity {
	for way := range uint64(ways) {
		if v := c.place(key, way).Load(); v != nil && v.key == *key {
			if now.UnixNano() >= v.until {
				return nil
			}
			return &v.who
		}
	}
	return nil
}

// put remembers a token until it expires.
func (c *cache) put(key *[sha256.Size]byte, who ml.Identity, until, now time.Time) {
	c.victim++
	into := c.place(key, c.victim%ways)
	for way := range uint64(ways) {
		p := c.place(key, way)
		v := p.Load()
		if v != nil && v.key == *key {
			into = p
			break
		}
		if v == nil || now.UnixNano() >= v.until {
			into = p
		}
	}
	into.Store(&verified{*key, until.UnixNano(), who})
}

// drop forgets all tokens for which gone reports true.
func (c *cache) drop(gone func(*ml.Identity) bool) {
	for i := range c.places {
		if v := c.places[i].Load(); v != nil && gone(&v.who) {
			c.places[i].Store(nil)
		}
	}
}
