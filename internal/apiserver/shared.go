package apiserver

import (
	"context"
	"sync"
	"time"
)

// sharedPatience bounds the making of an answer that several wait for.
const sharedPatience = 5 * time.Second

// shared is an answer that all are given who ask within a time: a page that is open in many windows costs
// as much as one.
type shared[T any] struct {
	mu    sync.Mutex // held while it is made: all who come meanwhile have use for it
	made  time.Time
	value T
}

// get is the answer, made anew if it is older than age.
func (x *shared[T]) get(ctx context.Context, clock func() time.Time, age time.Duration, answer func(context.Context) (T, error)) (T, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.made.IsZero() && clock().Sub(x.made) < age {
		return x.value, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sharedPatience) // others need it when this client has gone
	defer cancel()
	v, err := answer(ctx)
	if err == nil {
		x.value, x.made = v, clock()
	}
	return v, err
}
