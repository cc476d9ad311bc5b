package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"iacontinu/internal/ml"
)

// predictionBatch is what one transaction adds to the prediction log.
type predictionBatch struct {
	rows []*ml.Prediction
	// errs are the errors of single rows, empty if none failed by itself.
	errs []error
	// atomic makes one bad row fail all.
	atomic bool
	sums   predictionSums
}

func (b *predictionBatch) reset() {
	b.rows, b.errs = b.rows[:0], b.errs[:0]
}

// errorOf is what the caller who gave row i is told, given the error of the whole.
func (b *predictionBatch) errorOf(i int, whole error) error {
	if whole != nil || len(b.errs) == 0 {
		return whole
	}
	return b.errs[i]
}

// commit writes the rows and their sums in one transaction. A row that is refused for what it holds
// does not take the others with it, unless the batch is atomic: its error is in errs. It waits for
// the connection as long as for the lock: each user before it may have waited that long by itself.
func (b *predictionBatch) commit(ctx context.Context, db *sql.DB, o *Options) error {
	waiting, cancel := context.WithTimeout(ctx, o.BusyTimeout)
	defer cancel()
	conn, err := db.Conn(waiting)
	if err != nil {
		if ctx.Err() == nil && waiting.Err() != nil { // whoever had the connection waited for the lock too
			err = locked(err)
		}
		return err
	}
	err = conn.Raw(func(dc any) error {
		w, ok := dc.(*writerConn)
		if !ok {
			return fmt.Errorf("the writer's connection is a %T", dc)
		}
		now := o.Clock()
		err := b.write(w, now, false)
		if isConstraint(err) && !b.atomic {
			err = b.write(w, now, true)
		}
		return w.writing.note(err)
	})
	if cerr := conn.Close(); err == nil {
		err = cerr
	}
	return err
}

// write is one transaction on the driver's connection, with many rows a statement or, to find the
// bad one, row by row.
func (b *predictionBatch) write(w *writerConn, now time.Time, single bool) (err error) {
	ins := &w.insert
	if err := ins.begin(w.SQLiteConn); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			ins.rollback(w.SQLiteConn)
		}
	}()
	b.sums.reset()
	if single {
		err = b.insertSingly(ins, now)
	} else {
		err = b.insertTogether(ins, now)
	}
	if err != nil {
		return err
	}
	if err := b.sums.store(ins); err != nil {
		return err
	}
	return ins.commit()
}

func (b *predictionBatch) insertTogether(ins *statements, now time.Time) error {
	for rest := b.rows; len(rest) > 0; {
		n, err := ins.insert(rest, now)
		if err != nil {
			return err
		}
		rest = rest[n:]
	}
	for _, p := range b.rows {
		b.sums.add(p)
	}
	return nil
}

func (b *predictionBatch) insertSingly(ins *statements, now time.Time) error {
	for i, p := range b.rows {
		_, err := ins.insert(b.rows[i:i+1], now)
		if err != nil && !isConstraint(err) {
			return err
		}
		b.errs = append(b.errs, err)
		if err == nil {
			b.sums.add(p)
		}
	}
	return nil
}

// predictionSums add up a batch by user and version, so that the sums of the whole log are written
// once a batch and not once a row.
type predictionSums struct {
	byKey map[sumKey]*sum
	last  sumKey // the key of most rows is that of the row before
	at    *sum
}

type sumKey struct {
	user    int64
	version string
}

type sum struct {
	rows                   int64
	confidence, responseMS float64
}

func (s *predictionSums) reset() {
	if s.byKey == nil {
		s.byKey = make(map[sumKey]*sum)
	}
	clear(s.byKey)
	s.at = nil
}

func (s *predictionSums) add(p *ml.Prediction) {
	key := sumKey{p.UserID, p.ModelVersion}
	if s.at == nil || key != s.last {
		at, ok := s.byKey[key]
		if !ok {
			at = &sum{}
			s.byKey[key] = at
		}
		s.last, s.at = key, at
	}
	s.at.rows++
	s.at.confidence += p.Confidence
	s.at.responseMS += milliseconds(p.ResponseTime)
}

func (s *predictionSums) store(ins *statements) error {
	for key, v := range s.byKey {
		if err := ins.addSums(key, v); err != nil {
			return err
		}
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
