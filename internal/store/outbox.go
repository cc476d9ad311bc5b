package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// deliveryRow is a row of outbox.
type deliveryRow struct {
	ID        int64
	Service   string
	Kind      string
	Payload   string
	Notes     string
	Attempts  int
	Error     string
	CreatedAt timestamp
	Trace     string
}

func (deliveryRow) TableName() string { return "outbox" }

// serviceRow is a row of outbox_services.
type serviceRow struct {
	Service string `gorm:"primaryKey"`
}

func (serviceRow) TableName() string { return "outbox_services" }

// Subscribe says whether a service is told from now on. What it is owed already stays owed.
func (s *Store) Subscribe(ctx context.Context, service ml.Service, on bool) error {
	write, row := s.write.WithContext(ctx), serviceRow{string(service)}
	var err error
	if on {
		err = write.Clauses(clause.OnConflict{DoNothing: true}).Create(&row).Error
	} else {
		err = write.Delete(&row).Error
	}
	if err != nil {
		return fmt.Errorf("store: subscribe %s: %w", service, coded(err))
	}
	return nil
}

// Transaction makes of what f does one whole, for the methods that take a transaction.
func (s *Store) Transaction(ctx context.Context, f func(*sql.Tx) error) error {
	err := s.transaction(ctx, func(_ *gorm.DB, raw *sql.Tx) error { return f(raw) })
	if err != nil {
		return fmt.Errorf("store: %w", coded(err))
	}
	return nil
}

// Installation is the name of this database among others, the same in its copies.
func (s *Store) Installation(ctx context.Context) (id string, err error) {
	if err := s.read.WithContext(ctx).Raw("SELECT id FROM installation").Scan(&id).Error; err != nil || id == "" {
		return "", fmt.Errorf("store: read the installation's id: %w", coded(cmp.Or(err, sql.ErrNoRows)))
	}
	return id, nil
}

// OweTx notes, within a transaction, that a service is to be told, after all that it is owed already.
// It returns false, and nothing is owed, if the service is not subscribed.
func (s *Store) OweTx(ctx context.Context, tx *sql.Tx, service ml.Service, kind string, payload any) (owed bool, err error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return false, fmt.Errorf("store: owe %s a %s: %w", service, kind, err)
	}
	res, err := tx.ExecContext(ctx, "INSERT INTO outbox (service, kind, payload, created_at, trace)"+
		" SELECT service, ?, ?, ?, ? FROM outbox_services WHERE service = ?", kind, string(text), stamp(s.now()), tracing.Carried(ctx), string(service))
	if err != nil {
		return false, fmt.Errorf("store: owe %s a %s: %w", service, kind, coded(err))
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// Owed reports, within a transaction, whether a service is subscribed and owed anything.
func (s *Store) Owed(ctx context.Context, tx *sql.Tx, service ml.Service) (owed bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM outbox JOIN outbox_services USING (service) WHERE service = ?)", string(service)).Scan(&owed)
	if err != nil {
		return false, fmt.Errorf("store: look into the outbox: %w", coded(err))
	}
	return owed, nil
}

// Waiting gives what a service is owed of a kind, the oldest first.
func (s *Store) Waiting(ctx context.Context, service ml.Service, kind string) (payloads []string, err error) {
	err = s.read.WithContext(ctx).Model(&deliveryRow{}).Where("service = ? AND kind = ?", string(service), kind).Order("id").Pluck("payload", &payloads).Error
	if err != nil {
		return nil, fmt.Errorf("store: look into the outbox: %w", coded(err))
	}
	return payloads, nil
}

// BeginDelivery takes down that the oldest delivery of a service is being tried, and returns it.
// CodeNotFound if nothing is owed.
func (s *Store) BeginDelivery(ctx context.Context, service ml.Service) (ml.Delivery, error) {
	var r deliveryRow
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Where("service = ?", string(service)).Order("id").Take(&r).Error; err != nil {
			return err
		}
		r.Attempts++
		return tx.Model(&r).Update("attempts", r.Attempts).Error
	})
	if err != nil {
		return ml.Delivery{}, fmt.Errorf("store: begin a delivery to %s: %w", service, found(err, "nothing is owed to %s", service))
	}
	return ml.Delivery{
		ID: r.ID, Service: service, Kind: r.Kind, Payload: json.RawMessage(r.Payload), Notes: json.RawMessage(r.Notes),
		Attempts: r.Attempts, CreatedAt: r.CreatedAt.Time, Trace: r.Trace,
	}, nil
}

// NoteDelivery keeps what the deliverer wants to know if the delivery is tried again.
func (s *Store) NoteDelivery(ctx context.Context, id int64, notes json.RawMessage) error {
	return s.changeDelivery(ctx, id, "notes", string(notes))
}

// FailDelivery keeps why a try failed.
func (s *Store) FailDelivery(ctx context.Context, id int64, why string) error {
	return s.changeDelivery(ctx, id, "error", why)
}

func (s *Store) changeDelivery(ctx context.Context, id int64, column, value string) error {
	err := s.write.WithContext(ctx).Model(&deliveryRow{}).Where("id = ?", id).Update(column, value).Error
	if err != nil {
		return fmt.Errorf("store: note the %s of delivery %d: %w", column, id, coded(err))
	}
	return nil
}

// EndDelivery removes a delivery that was made.
func (s *Store) EndDelivery(ctx context.Context, id int64) error {
	if err := s.write.WithContext(ctx).Where("id = ?", id).Delete(&deliveryRow{}).Error; err != nil {
		return fmt.Errorf("store: end delivery %d: %w", id, coded(err))
	}
	return nil
}

// RefuseDelivery removes a delivery that its service will never take, and has the audit log say so.
func (s *Store) RefuseDelivery(ctx context.Context, d ml.Delivery, why string) error {
	details, err := json.Marshal(map[string]string{"kind": d.Kind, "error": why})
	if err != nil {
		return fmt.Errorf("store: drop delivery %d: %w", d.ID, err)
	}
	err = s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if err := tx.Where("id = ?", d.ID).Delete(&deliveryRow{}).Error; err != nil {
			return err
		}
		return s.auditIn(tx, ml.AuditEntry{
			Level: "ERROR", Component: "worker", EventType: d.Service.RefusalEvent(),
			Message: fmt.Sprintf("%s refused a delivery (%s) for good, which is dropped: %s", d.Service, d.Kind, why),
			Details: string(details),
		})
	})
	if err != nil {
		return fmt.Errorf("store: drop delivery %d: %w", d.ID, coded(err))
	}
	return nil
}

// Refusals counts what a service has refused for good since a time.
func (s *Store) Refusals(ctx context.Context, service ml.Service, since time.Time) (int64, error) {
	_, n, err := s.AuditLog(ctx, ml.AuditFilter{EventType: service.RefusalEvent(), From: since}, 1)
	return n, err
}

// ExpireDeliveries removes what a service has been owed since before a time, and says how many there
// were.
func (s *Store) ExpireDeliveries(ctx context.Context, service ml.Service, before time.Time) (int64, error) {
	res := s.write.WithContext(ctx).Where("service = ? AND created_at < ?", string(service), stamp(before)).Delete(&deliveryRow{})
	if res.Error != nil {
		return 0, fmt.Errorf("store: expire deliveries to %s: %w", service, coded(res.Error))
	}
	return res.RowsAffected, nil
}

// Backlog tells what a service is owed, and whether it is subscribed.
func (s *Store) Backlog(ctx context.Context, service ml.Service) (b ml.Backlog, subscribed bool, err error) {
	var row struct {
		Waiting    int64
		Oldest     timestamp
		Error      string
		Subscribed bool
	}
	err = s.read.WithContext(ctx).Raw("SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest,"+
		" COALESCE((SELECT error FROM outbox WHERE service = @service ORDER BY id LIMIT 1), '') AS error,"+
		" EXISTS (SELECT 1 FROM outbox_services WHERE service = @service) AS subscribed"+
		" FROM outbox WHERE service = @service", sql.Named("service", string(service))).Scan(&row).Error
	if err != nil {
		return b, false, fmt.Errorf("store: count what %s is owed: %w", service, coded(err))
	}
	return ml.Backlog{Waiting: row.Waiting, Oldest: row.Oldest.Time, Error: row.Error}, row.Subscribed, nil
}

// Aliases tells which version plays which part.
func (s *Store) Aliases(ctx context.Context) (ml.Aliases, error) {
	return readAliases(s.read.WithContext(ctx))
}

// AliasesTx is Aliases within a transaction of the store.
func (s *Store) AliasesTx(ctx context.Context, tx *sql.Tx) (ml.Aliases, error) {
	within := s.write.Session(&gorm.Session{Context: ctx, NewDB: true})
	within.Statement.ConnPool = tx
	return readAliases(within)
}

func readAliases(q *gorm.DB) (ml.Aliases, error) {
	var a ml.Aliases
	active, err := readVersion(q.Where("is_active = 1"), "no version is active")
	if err != nil && ml.CodeOf(err) != ml.CodeNotFound {
		return a, err
	}
	a.Champion = active.Name
	below, err := rollbackTarget(q)
	if err != nil && ml.CodeOf(err) != ml.CodeConflict {
		return a, fmt.Errorf("store: read the version before: %w", coded(err))
	}
	a.Previous = below.Version
	var newest modelRow
	if err := q.Order("id DESC").Take(&newest).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return a, fmt.Errorf("store: read the newest version: %w", coded(err))
	}
	if ml.VersionStatus(newest.Status) == ml.VersionRejected && !value(newest.IsActive) {
		a.Challenger = newest.Version
	}
	return a, nil
}
