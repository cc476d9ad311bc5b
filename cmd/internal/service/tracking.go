package service

import (
	"context"
	"database/sql"
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
		return said(stateWarning, api.Remark{Code: "part.outbox_unread"}), true
	case !subscribed && b.Waiting == 0:
		return api.Check{}, false
	case !subscribed:
		return said(stateOff, api.Remark{Code: "part.deliveries_left", Values: map[string]any{"n": b.Waiting}}), true
	}
	refused, err := p.Store.Refusals(ctx, service, time.Now().Add(-refusalTold))
	if err != nil {
		return said(stateWarning, api.Remark{Code: "part.refusals_unread"}), true
	}
	return toldCheck(b, refused), true
}

// toldCheck tells what waits for a service that is told, and how much it refused. Why is for the logs: it may
// name addresses, and anybody may ask.
func toldCheck(b ml.Backlog, refused int64) api.Check {
	status := stateOK
	var says []api.Remark
	if b.Waiting > 0 {
		says = append(says, api.Remark{Code: "part.deliveries_wait", Values: map[string]any{"n": b.Waiting, "waited": time.Since(b.Oldest).Seconds()}})
	}
	if b.Error != "" {
		status = stateWarning
		says = append(says, api.Remark{Code: "part.delivery_failed"})
	}
	if refused > 0 {
		status = stateWarning
		says = append(says, api.Remark{Code: "part.deliveries_refused", Values: map[string]any{"n": refused}})
	}
	check := said(status, says...)
	if b.Waiting > 0 {
		check.At = &b.Oldest
	}
	return check
}
