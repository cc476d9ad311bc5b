package service

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// owe notes that a service is to be told, and asks for the delivery.
func (p *Platform) owe(ctx context.Context, service ml.Service, kind string, payload any) error {
	return p.Store.Transaction(ctx, func(tx *sql.Tx) error { return p.oweTx(ctx, tx, service, kind, payload) })
}

// oweTx is owe within a transaction of the store.
func (p *Platform) oweTx(ctx context.Context, tx *sql.Tx, service ml.Service, kind string, payload any) error {
	owed, err := p.Store.OweTx(ctx, tx, service, kind, payload)
	if err != nil || !owed {
		return err
	}
	return p.Queue.EnqueueDeliveryTx(ctx, tx, service)
}

// trackActivation owes MLflow the parts that versions play after an activation or a rollback.
func (p *Platform) trackActivation(ctx context.Context, tx *sql.Tx) error {
	aliases, err := p.Store.AliasesTx(ctx, tx)
	if err != nil {
		return err
	}
	return p.oweTx(ctx, tx, ml.ServiceMLflow, ml.DeliveryAliases, aliases)
}

// refusalTold is for how long /health tells of a delivery that was refused for good.
const refusalTold = 24 * time.Hour

// backlogCheck tells what a service is owed and what it refused; ok is false if nobody has set it.
func (p *Platform) backlogCheck(ctx context.Context, service ml.Service) (check api.Check, ok bool) {
	b, subscribed, err := p.Store.Backlog(ctx, service)
	switch {
	case err != nil:
		return api.Check{Status: stateWarning, Detail: "unknown: the outbox can't be read"}, true
	case !subscribed && b.Waiting == 0:
		return api.Check{}, false
	case !subscribed:
		return api.Check{Status: stateOff, Detail: deliveries(b.Waiting, "is", "are") + " left from when it was set, and dropped after 30 days"}, true
	}
	check = waitingCheck(b)
	refused, err := p.Store.Refusals(ctx, service, time.Now().Add(-refusalTold))
	if err != nil {
		return api.Check{Status: stateWarning, Detail: "unknown: the audit log can't be read"}, true
	}
	if refused > 0 { // why may name addresses, and anybody may ask
		words := deliveries(refused, "was", "were") + " refused for good in the last 24 hours and dropped, the audit log says why"
		if check.Detail != "" {
			words = check.Detail + "; " + words
		}
		check.Status, check.Detail = stateWarning, words
	}
	return check, true
}

// waitingCheck tells what waits for a service that is told.
func waitingCheck(b ml.Backlog) api.Check {
	if b.Waiting == 0 {
		return api.Check{Status: stateOK}
	}
	detail := fmt.Sprintf("%s, the oldest for %s", deliveries(b.Waiting, "waits", "wait"), time.Since(b.Oldest).Round(time.Second))
	if b.Error != "" { // it may name addresses, too
		return api.Check{Status: stateWarning, Detail: detail + "; the last try failed, the worker's log says why", At: &b.Oldest}
	}
	return api.Check{Status: stateOK, Detail: detail, At: &b.Oldest}
}

// deliveries counts them in words, each with its form of a verb.
func deliveries(n int64, one, many string) string {
	if n == 1 {
		return "1 delivery " + one
	}
	return fmt.Sprintf("%d deliveries %s", n, many)
}
