package service

import (
	"context"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// waiting counts what is still to be done.
func (p *Platform) waiting(ctx context.Context) (out api.Waiting, err error) {
	depths, err := p.Queue.Depth(ctx)
	if err != nil {
		return out, err
	}
	for _, d := range depths {
		out.Jobs = append(out.Jobs, api.QueueDepth{Queue: d.Queue, Waiting: d.Waiting, Running: d.Running, OldestSeconds: d.OldestWait.Seconds()})
	}
	for _, service := range ml.Services() {
		b, subscribed, err := p.Store.Backlog(ctx, service)
		switch {
		case err != nil:
			return out, err
		case !subscribed: // nobody waits for it
			continue
		}
		d := api.DeliveryDepth{Service: string(service), Waiting: b.Waiting, Failing: b.Error != ""}
		if !b.Oldest.IsZero() {
			d.Oldest = &b.Oldest
		}
		out.Deliveries = append(out.Deliveries, d)
	}
	return out, nil
}
