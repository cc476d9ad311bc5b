package boot

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Part is something that runs until its context ends and then stops in order.
type Part interface {
	Run(ctx context.Context) error
}

// RunAll runs the parts until ctx ends or one fails, and waits for all.
func RunAll(ctx context.Context, parts ...Part) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, p := range parts {
		group.Go(func() error { return p.Run(ctx) })
	}
	return group.Wait()
}

// Parts are several that run as one.
type Parts []Part

// Run implements Part.
func (p Parts) Run(ctx context.Context) error { return RunAll(ctx, p...) }
