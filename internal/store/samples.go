package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/mattn/go-sqlite3"

	"iacontinu/internal/ml"
)

// samplesPerInsert is how many samples one statement writes.
const samplesPerInsert = 256

// AppendSamples adds rows of two features to a building dataset in one transaction. Give it some
// ten thousand rows at a time: others write in between.
func (s *Store) AppendSamples(ctx context.Context, id int64, c ml.Columns) error {
	if err := checkSamples(c); err != nil {
		return err
	}
	if c.Len() == 0 {
		return nil
	}
	err := s.checked(ctx, func(conn *sqlite3.SQLiteConn) error {
		if err := holdsBuilding(conn, id); err != nil {
			return err
		}
		if err := insertSamples(ctx, conn, id, c); err != nil {
			return err
		}
		// The ids of one transaction follow each other, for no one else writes meanwhile.
		return exec(conn, "UPDATE datasets SET"+
			" first_sample = CASE WHEN last_sample < first_sample THEN last_insert_rowid() - ?2 + 1 ELSE first_sample END,"+
			" last_sample = last_insert_rowid() WHERE generation_id = ?1", id, int64(c.Len()))
	})
	if err != nil {
		return fmt.Errorf("store: append samples: %w", coded(err))
	}
	return nil
}

func checkSamples(c ml.Columns) error {
	if len(c.Features) != 2 {
		return ml.Errorf(ml.CodeInvalid, "rows are kept in the database with 2 features, not %d", len(c.Features))
	}
	for j, f := range c.Features {
		if len(f) != c.Len() {
			return ml.Errorf(ml.CodeInvalid, "feature %d has %d values for %d labels", j+1, len(f), c.Len())
		}
		for i, v := range f {
			if math.IsNaN(v) {
				return ml.Errorf(ml.CodeInvalid, "feature %d of row %d is not a number", j+1, i+1)
			}
		}
	}
	return nil
}

// holdsBuilding stands in for the foreign key.
func holdsBuilding(c *sqlite3.SQLiteConn, id int64) error {
	one := make([]driver.Value, 1)
	ok, err := queryRow(c, one, "SELECT 1 FROM datasets WHERE generation_id = ? AND state = ?",
		id, string(ml.DatasetBuilding))
	if err == nil && !ok {
		err = ml.Errorf(ml.CodeNotFound, "there is no dataset %d that is building", id)
	}
	return err
}

func insertSamples(ctx context.Context, c *sqlite3.SQLiteConn, id int64, cols ml.Columns) error {
	ins := sampleInsert{conn: c, args: make([]driver.NamedValue, 1+3*samplesPerInsert)}
	for i := range ins.args {
		ins.args[i].Ordinal = i + 1
	}
	ins.args[0].Value = id
	n := cols.Len()
	for lo := 0; lo < n; {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, ins.close())
		}
		hi := min(lo+samplesPerInsert, n)
		if err := ins.write(cols.Slice(lo, hi)); err != nil {
			return errors.Join(err, ins.close())
		}
		lo = hi
	}
	return ins.close()
}

// sampleInsert is one prepared INSERT of many rows. It is run as a query, which crosses into C once
// a statement where the driver's Exec crosses once a value.
type sampleInsert struct {
	conn *sqlite3.SQLiteConn
	stmt *sqlite3.SQLiteStmt
	rows int // of stmt
	args []driver.NamedValue
}

func (s *sampleInsert) write(c ml.Columns) error {
	n := c.Len()
	if n != s.rows {
		if err := s.prepare(n); err != nil {
			return err
		}
	}
	f1, f2 := c.Features[0], c.Features[1]
	for i := range n {
		a := s.args[1+3*i : 4+3*i]
		a[0].Value, a[1].Value, a[2].Value = f1[i], f2[i], int64(c.Target[i])
	}
	return run(s.stmt, s.args[:1+3*n])
}

// prepare makes the INSERT of n rows. All of them share parameter 1, the dataset.
func (s *sampleInsert) prepare(n int) error {
	if err := s.close(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("INSERT INTO dataset_samples (generation_id, feature1, feature2, target) VALUES ")
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(?1")
		for j := range 3 {
			b.WriteString(",?")
			b.WriteString(strconv.Itoa(2 + 3*i + j))
		}
		b.WriteByte(')')
	}
	st, err := s.conn.Prepare(b.String())
	if err != nil {
		return err
	}
	var ok bool
	if s.stmt, ok = st.(*sqlite3.SQLiteStmt); !ok {
		return errors.Join(fmt.Errorf("the driver prepared a %T", st), st.Close())
	}
	s.rows = n
	return nil
}

func (s *sampleInsert) close() error {
	if s.stmt == nil {
		return nil
	}
	st := s.stmt
	s.stmt, s.rows = nil, 0
	return st.Close()
}

// Samples reads the rows of a ready dataset from the database in the order in which they were
// appended. Imported datasets have none there.
func (s *Store) Samples(ctx context.Context, id int64) (ml.Columns, error) {
	var r datasetRow
	err := s.read.WithContext(ctx).Where("generation_id = ? AND state = ?", id, string(ml.DatasetReady)).Take(&r).Error
	if err != nil {
		return ml.Columns{}, fmt.Errorf("store: read samples: %w", found(err, "there is no dataset %d", id))
	}
	conn, err := s.reader.Conn(ctx)
	if err != nil {
		return ml.Columns{}, fmt.Errorf("store: read samples: %w", coded(err))
	}
	defer conn.Close()
	var out ml.Columns
	err = conn.Raw(func(dc any) (err error) {
		c, ok := dc.(readerConn)
		if !ok {
			return fmt.Errorf("a reader's connection is a %T", dc)
		}
		out, err = readSamples(ctx, c.SQLiteConn, r)
		return err
	})
	if err != nil {
		return ml.Columns{}, fmt.Errorf("store: read samples: %w", coded(err))
	}
	return out, nil
}

// readSamples reads by the driver's own calls: database/sql would spend as much again on each row,
// and so would the driver, given a ctx to watch.
func readSamples(ctx context.Context, c *sqlite3.SQLiteConn, r datasetRow) (_ ml.Columns, err error) {
	f1, f2 := make([]float64, 0, r.SamplesCount), make([]float64, 0, r.SamplesCount)
	target := make([]uint8, 0, r.SamplesCount)
	rows, err := c.Query("SELECT feature1, feature2, target FROM dataset_samples"+
		" WHERE id BETWEEN ? AND ? AND generation_id = ? ORDER BY id",
		[]driver.Value{r.FirstSample, r.LastSample, r.GenerationID})
	if err != nil {
		return ml.Columns{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	dest := make([]driver.Value, 3)
	for {
		if err := rows.Next(dest); errors.Is(err, io.EOF) {
			return ml.Columns{Features: [][]float64{f1, f2}, Target: target}, nil
		} else if err != nil {
			return ml.Columns{}, err
		}
		a, aok := dest[0].(float64)
		b, bok := dest[1].(float64)
		y, yok := dest[2].(int64)
		if !aok || !bok || !yok || y < 0 || y > 1 {
			return ml.Columns{}, ml.Errorf(ml.CodeUnprocessed, "dataset %d holds the row %v", r.GenerationID, dest)
		}
		f1, f2, target = append(f1, a), append(f2, b), append(target, uint8(y))
		if len(target)%samplesPerInsert == 0 && ctx.Err() != nil {
			return ml.Columns{}, ctx.Err()
		}
	}
}
