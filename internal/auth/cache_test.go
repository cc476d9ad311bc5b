package auth

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"iacontinu/internal/ml"
)

// A token is found until it expires or is dropped, or another one took its place; what is found is
// always its own identity.
func TestCacheProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c := newCache(rapid.IntRange(1, 64).Draw(t, "size"))
		now := testNow
		type entry struct {
			id    int64
			until time.Time
		}
		known := map[string]entry{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			token := strconv.Itoa(rapid.IntRange(0, 99).Draw(t, "token"))
			key := keyOf(token)
			switch rapid.SampledFrom([]string{"put", "get", "drop", "wait"}).Draw(t, "step") {
			case "put":
				e := entry{rapid.Int64Range(1, 1000).Draw(t, "id"), now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "life")) * time.Second)}
				c.put(&key, ml.Identity{UserID: e.id}, e.until, now)
				known[token] = e
				if got := c.get(&key, now); got == nil || got.UserID != e.id {
					t.Fatalf("get after put = %v, want user %d", got, e.id)
				}
			case "get":
				got, e := c.get(&key, now), known[token]
				if got != nil && (got.UserID != e.id || !now.Before(e.until)) {
					t.Fatalf("get(%s) = user %d at %v, want %+v", token, got.UserID, now, e)
				}
			case "drop":
				id := rapid.Int64Range(1, 1000).Draw(t, "gone")
				c.drop(func(who *ml.Identity) bool { return who.UserID <= id })
				for token, e := range known {
					if key := keyOf(token); e.id <= id && c.get(&key, now) != nil {
						t.Fatalf("user %d is still there", e.id)
					}
				}
			case "wait":
				now = now.Add(time.Second)
			}
		}
	})
}

func TestCacheKeepsMostOfWhatFits(t *testing.T) {
	t.Parallel()
	c := newCache(1024)
	for i := range 256 {
		key := keyOf(fmt.Sprint(i))
		c.put(&key, ml.Identity{UserID: int64(i)}, testNow.Add(time.Hour), testNow)
	}
	kept := 0
	for i := range 256 {
		key := keyOf(fmt.Sprint(i))
		if c.get(&key, testNow) != nil {
			kept++
		}
	}
	if kept < 250 {
		t.Errorf("%d of 256 tokens kept in 1024 places", kept)
	}
}

func TestCacheIsReadWhileWritten(t *testing.T) {
	t.Parallel()
	c := newCache(8)
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for i := range 2000 {
				key := keyOf(strconv.Itoa(i % 40))
				if who := c.get(&key, testNow); who != nil && who.UserID != int64(i%40) {
					t.Errorf("token %d is of user %d", i%40, who.UserID)
				}
			}
		})
	}
	for i := range 2000 {
		key := keyOf(strconv.Itoa(i % 40))
		c.put(&key, ml.Identity{UserID: int64(i % 40)}, testNow.Add(time.Hour), testNow)
		if i%100 == 0 {
			c.drop(func(who *ml.Identity) bool { return who.UserID == 7 })
		}
	}
	readers.Wait()
}
