package store

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/ml"
)

const (
	insertPredictions = "INSERT INTO prediction_logs (user_id, model_version, feature1, feature2, prediction," +
		" confidence, response_time_ms, created_at, prediction_id, features_more) VALUES "
	predictionColumns = 10
	upsertSums        = "INSERT INTO prediction_stats" +
		" (user_id, model_version, predictions, sum_confidence, sum_response_ms) VALUES (?,?,?,?,?)" +
		" ON CONFLICT (user_id, model_version) DO UPDATE SET predictions = predictions + excluded.predictions," +
		" sum_confidence = sum_confidence + excluded.sum_confidence," +
		" sum_response_ms = sum_response_ms + excluded.sum_response_ms"
)

// insertSizes are the rows of one INSERT, largest first.
var insertSizes = [...]int{64, 16, 4, 1}

// statements are the prediction log's own on the driver's connection. They are run as queries: the
// driver then resets, binds and steps in one crossing into C, where its Exec crosses once a value.
type statements struct {
	beginStmt, commitStmt, sumStmt *sqlite3.SQLiteStmt
	insertStmt                     [len(insertSizes)]*sqlite3.SQLiteStmt
	args                           []driver.NamedValue
	more                           []byte // features beyond the second, of one statement
	// The values of the last row, ready for the driver: most rows share them, and each costs an
	// allocation.
	user      int64
	userValue driver.Value // nil for user 0
	version   string
	verValue  driver.Value
	second    int64
	secValue  driver.Value
}

func (s *statements) prepare(c *sqlite3.SQLiteConn) error {
	texts := []string{"BEGIN IMMEDIATE", "COMMIT", upsertSums}
	into := []**sqlite3.SQLiteStmt{&s.beginStmt, &s.commitStmt, &s.sumStmt}
	one := "(?" + strings.Repeat(",?", predictionColumns-1) + ")"
	for i, n := range insertSizes {
		texts = append(texts, insertPredictions+one+strings.Repeat(","+one, n-1))
		into = append(into, &s.insertStmt[i])
	}
	for i, text := range texts {
		st, err := c.Prepare(text)
		if err != nil {
			return errors.Join(err, s.close())
		}
		ss, ok := st.(*sqlite3.SQLiteStmt)
		if !ok {
			return errors.Join(fmt.Errorf("the driver prepared a %T", st), st.Close(), s.close())
		}
		*into[i] = ss
	}
	s.args = make([]driver.NamedValue, insertSizes[0]*predictionColumns)
	for i := range s.args {
		s.args[i].Ordinal = i + 1
	}
	return nil
}

func (s *statements) close() error {
	var errs []error
	for _, st := range append([]*sqlite3.SQLiteStmt{s.beginStmt, s.commitStmt, s.sumStmt}, s.insertStmt[:]...) {
		if st != nil {
			errs = append(errs, st.Close())
		}
	}
	*s = statements{}
	return errors.Join(errs...)
}

func (s *statements) begin(c *sqlite3.SQLiteConn) error {
	if s.args == nil {
		if err := s.prepare(c); err != nil {
			return err
		}
	}
	return run(s.beginStmt, nil)
}

func (s *statements) commit() error { return run(s.commitStmt, nil) }

// rollback ends a transaction that failed. Some failures, a full disk among them, have ended it
// already; one that can't be ended makes the pool discard the connection.
func (s *statements) rollback(c *sqlite3.SQLiteConn) {
	if !c.AutoCommit() {
		_, _ = c.Exec("ROLLBACK", nil)
	}
}

// insert writes as many of the rows as its largest fitting statement takes, and tells how many.
func (s *statements) insert(rows []*ml.Prediction, now time.Time) (int, error) {
	i := 0
	for insertSizes[i] > len(rows) {
		i++
	}
	n := insertSizes[i]
	s.more = s.more[:0]
	for j, p := range rows[:n] {
		s.bind(s.args[j*predictionColumns:(j+1)*predictionColumns], p, now)
	}
	return n, run(s.insertStmt[i], s.args[:n*predictionColumns])
}

func (s *statements) bind(a []driver.NamedValue, p *ml.Prediction, now time.Time) {
	if p.UserID != s.user {
		s.user, s.userValue = p.UserID, userValue(p.UserID)
	}
	if p.ModelVersion != s.version || s.verValue == nil {
		s.version, s.verValue = p.ModelVersion, p.ModelVersion
	}
	at := p.CreatedAt
	if at.IsZero() {
		at = now
	}
	if sec := at.Unix(); sec != s.second || s.secValue == nil {
		s.second, s.secValue = sec, at.UTC().Format(timeLayout)
	}
	a[0].Value = s.userValue
	a[1].Value = s.verValue
	a[2].Value, a[3].Value = nil, nil
	for j := range min(2, len(p.Features)) {
		a[2+j].Value = p.Features[j]
	}
	a[4].Value = int64(p.Label)
	a[5].Value = p.Confidence
	a[6].Value = milliseconds(p.ResponseTime)
	a[7].Value = s.secValue
	a[8].Value = p.ID
	a[9].Value = nil
	if len(p.Features) > 2 {
		from := len(s.more)
		s.more = appendFeatures(s.more, p.Features[2:])
		a[9].Value = s.more[from:]
	}
}

// addSums adds the sums of a batch to those of the log.
func (s *statements) addSums(key sumKey, v *sum) error {
	a := s.args[:5]
	a[0].Value, a[1].Value = key.user, key.version
	a[2].Value, a[3].Value, a[4].Value = v.rows, v.confidence, v.responseMS
	return run(s.sumStmt, a)
}

// run executes a statement that returns no rows.
func run(st *sqlite3.SQLiteStmt, args []driver.NamedValue) error {
	rows, err := st.QueryContext(context.Background(), args)
	if err != nil {
		return err
	}
	return rows.Close()
}

// userValue is a user's id as the foreign key wants it: NULL for the platform itself.
func userValue(id int64) driver.Value {
	if id == 0 {
		return nil
	}
	return id
}

func appendFeatures(b []byte, features []float64) []byte {
	for _, f := range features {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f))
	}
	return b
}

// features puts a row's features together again.
func features(first, second *float64, more []byte) []float64 {
	out := make([]float64, 0, 2+len(more)/8)
	for _, f := range []*float64{first, second} {
		if f != nil {
			out = append(out, *f)
		}
	}
	for ; len(more) >= 8; more = more[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(more)))
	}
	return out
}
