package store

import (
	"cmp"
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/mattn/go-sqlite3"
	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// datasetRow is a row of datasets. The column id of the earlier system is left to SQLite: the
// generation_id is what clients see and samples refer to.
type datasetRow struct {
	GenerationID  int64
	SamplesCount  int
	CreatedAt     timestamp
	HourGenerated *int
	State         string
	Source        string
	Name          string
	Schema        string
	SchemaKey     string
	Class0Count   int `gorm:"column:class0_count"`
	Class1Count   int `gorm:"column:class1_count"`
	Fingerprint   string
	Drift         string
	Seed          string
	JobID         int64
	Builder       string
	FirstSample   int64
	LastSample    int64 // below FirstSample if there are none
}

func (datasetRow) TableName() string { return "datasets" }

func (r datasetRow) dataset() (ml.Dataset, error) {
	d := ml.Dataset{
		ID:          r.GenerationID,
		Samples:     r.SamplesCount,
		Hour:        value(r.HourGenerated),
		CreatedAt:   r.CreatedAt.Time,
		State:       ml.DatasetState(r.State),
		Source:      ml.DatasetSource(r.Source),
		Name:        r.Name,
		ClassCounts: [2]int{r.Class0Count, r.Class1Count},
		Fingerprint: r.Fingerprint,
		Drift:       r.Drift,
		JobID:       r.JobID,
		Builder:     r.Builder,
	}
	var err error
	if d.Seed, err = strconv.ParseUint(r.Seed, 10, 64); err != nil {
		return d, fmt.Errorf("dataset %d: seed: %w", d.ID, err)
	}
	if err := json.Unmarshal([]byte(r.Schema), &d.Schema); err != nil {
		return d, fmt.Errorf("dataset %d: schema: %w", d.ID, err)
	}
	return d, nil
}

// BeginDataset adds a dataset that is building and returns its id, which was never given out
// before. A second dataset of the same job has CodeConflict.
func (s *Store) BeginDataset(ctx context.Context, d ml.Dataset) (id int64, err error) {
	schema, err := json.Marshal(d.Schema)
	if err != nil {
		return 0, fmt.Errorf("store: begin dataset: %w", err)
	}
	if d.CreatedAt.IsZero() {
		d.CreatedAt = s.now()
		d.Hour = d.CreatedAt.Hour()
	}
	row := datasetRow{
		CreatedAt:     stamp(d.CreatedAt),
		HourGenerated: &d.Hour,
		State:         string(ml.DatasetBuilding),
		Source:        string(cmp.Or(d.Source, ml.SourceGenerated)),
		Name:          d.Name,
		Schema:        string(schema),
		SchemaKey:     d.Schema.Key(),
		Drift:         d.Drift,
		Seed:          strconv.FormatUint(d.Seed, 10),
		JobID:         d.JobID,
		Builder:       d.Builder,
		LastSample:    -1,
	}
	err = s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		next := tx.Raw("UPDATE sequences SET value = value + 1 WHERE name = 'dataset' RETURNING value")
		if err := next.Scan(&row.GenerationID).Error; err != nil {
			return err
		}
		return tx.Create(&row).Error
	})
	if err != nil {
		return 0, fmt.Errorf("store: begin dataset: %w", coded(err))
	}
	return row.GenerationID, nil
}

// FinishDataset makes a building dataset visible: all its rows are stored. A second time it does
// nothing.
func (s *Store) FinishDataset(ctx context.Context, d ml.Dataset) error {
	res := s.write.WithContext(ctx).Model(&datasetRow{}).
		Where("generation_id = ? AND (state = ? OR fingerprint = ?)", d.ID, string(ml.DatasetBuilding), d.Fingerprint).
		Updates(map[string]any{
			"state":         string(ml.DatasetReady),
			"samples_count": d.Samples,
			"class0_count":  d.ClassCounts[0],
			"class1_count":  d.ClassCounts[1],
			"fingerprint":   d.Fingerprint,
		})
	if res.Error != nil {
		return fmt.Errorf("store: finish dataset: %w", coded(res.Error))
	}
	if res.RowsAffected == 0 {
		return ml.Errorf(ml.CodeNotFound, "there is no dataset %d that is building", d.ID)
	}
	return nil
}

// Datasets reads the newest ready datasets, newest first, and how many there are.
func (s *Store) Datasets(ctx context.Context, limit int) ([]ml.Dataset, int64, error) {
	q := s.read.WithContext(ctx).Model(&datasetRow{}).Where("state = ?", string(ml.DatasetReady))
	rows, total, err := newest[datasetRow](q, "generation_id", 0, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read datasets: %w", coded(err))
	}
	ds, err := datasetsOf(rows)
	return ds, total, err
}

// maxListed bounds the names of features that ListDatasets reads, in bytes.
const maxListed = 2 << 20

// ListDatasets is Datasets for an answer that must not grow with how wide the datasets are: it ends early, but
// not before the first, when their features' names take more than 2 MiB together. It lists those that are older than
// the one of an id; 0 leaves none out.
func (s *Store) ListDatasets(ctx context.Context, before int64, limit int) (list []ml.Dataset, total int64, err error) {
	q := s.read.WithContext(ctx).Model(&datasetRow{}).Where("state = ?", string(ml.DatasetReady)).Session(&gorm.Session{})
	if err := q.Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("store: list datasets: %w", coded(err))
	}
	rows, err := older(q, "generation_id", before, limit).Rows()
	if err != nil {
		return nil, 0, fmt.Errorf("store: list datasets: %w", coded(err))
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var r datasetRow
		if err := q.ScanRows(rows, &r); err != nil {
			return nil, 0, fmt.Errorf("store: list datasets: %w", coded(err))
		}
		if size += len(r.Schema); size > maxListed && len(list) > 0 {
			return list, total, nil
		}
		d, err := r.dataset()
		if err != nil {
			return nil, 0, fmt.Errorf("store: list datasets: %w", err)
		}
		list = append(list, d)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("store: list datasets: %w", coded(err))
	}
	return list, total, nil
}

// NewestDatasets reads the newest ready datasets of one schema, newest first.
func (s *Store) NewestDatasets(ctx context.Context, schemaKey string, limit int) ([]ml.Dataset, error) {
	return s.datasets(s.read.WithContext(ctx).
		Where("schema_key = ? AND state = ?", schemaKey, string(ml.DatasetReady)).
		Order("generation_id DESC").Limit(cmp.Or(limit, defaultLimit)))
}

// DatasetByFingerprint reads the oldest ready dataset of a schema that holds those rows.
func (s *Store) DatasetByFingerprint(ctx context.Context, schemaKey, fingerprint string) (ml.Dataset, error) {
	ds, err := s.datasets(s.read.WithContext(ctx).
		Where("schema_key = ? AND state = ? AND fingerprint = ?", schemaKey, string(ml.DatasetReady), fingerprint).
		Order("generation_id").Limit(1))
	if err == nil && len(ds) == 0 {
		err = ml.Errorf(ml.CodeNotFound, "there is no dataset of these rows")
	}
	if err != nil {
		return ml.Dataset{}, err
	}
	return ds[0], nil
}

// BuildingDatasets reads the datasets that are not ready: being built, being dropped, or left so by
// a process that died.
func (s *Store) BuildingDatasets(ctx context.Context) ([]ml.Dataset, error) {
	return s.datasets(s.read.WithContext(ctx).
		Where("state <> ?", string(ml.DatasetReady)).Order("generation_id"))
}

// Dataset reads a ready dataset.
func (s *Store) Dataset(ctx context.Context, id int64) (ml.Dataset, error) {
	ds, err := s.datasets(s.read.WithContext(ctx).
		Where("generation_id = ? AND state = ?", id, string(ml.DatasetReady)))
	if err == nil && len(ds) == 0 {
		err = noDataset(id)
	}
	if err != nil {
		return ml.Dataset{}, err
	}
	return ds[0], nil
}

// DatasetByJob reads the dataset that a job made, ready or building.
func (s *Store) DatasetByJob(ctx context.Context, jobID int64) (ml.Dataset, error) {
	// The index is partial: its condition must be in the query.
	ds, err := s.datasets(s.read.WithContext(ctx).Where("job_id = ? AND job_id <> 0", jobID))
	if err == nil && len(ds) == 0 {
		err = ml.Errorf(ml.CodeNotFound, "job %d has made no dataset", jobID)
	}
	if err != nil {
		return ml.Dataset{}, err
	}
	return ds[0], nil
}

func (s *Store) datasets(q *gorm.DB) ([]ml.Dataset, error) {
	var rows []datasetRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: read datasets: %w", coded(err))
	}
	return datasetsOf(rows)
}

func datasetsOf(rows []datasetRow) ([]ml.Dataset, error) {
	out := make([]ml.Dataset, len(rows))
	for i, r := range rows {
		var err error
		if out[i], err = r.dataset(); err != nil {
			return nil, fmt.Errorf("store: read datasets: %w", err)
		}
	}
	return out, nil
}

// dropChunk is how many samples are deleted in one transaction: about 20 ms.
const dropChunk = 50_000

// DropDataset deletes a dataset, ready or building, with its samples. It is invisible at once; the
// samples go in several transactions, so that others write in between. If that is interrupted the
// dataset stays among BuildingDatasets, to be dropped again. A dataset that the active version was
// trained on has CodeConflict.
func (s *Store) DropDataset(ctx context.Context, id int64) error {
	if err := s.hide(ctx, id); err != nil {
		return err
	}
	for more := true; more; {
		err := s.checked(ctx, func(c *sqlite3.SQLiteConn) (err error) {
			more, err = dropSamples(c, id)
			return err
		})
		if err != nil {
			return fmt.Errorf("store: drop dataset: %w", coded(err))
		}
	}
	return nil
}

func (s *Store) hide(ctx context.Context, id int64) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		version, err := datasetUser(tx, id)
		if err != nil {
			return err
		}
		if version != "" {
			return ml.Errorf(ml.CodeConflict, "dataset %d is what the active version %s was trained on", id, version).
				Says("error.dataset_serves", map[string]any{"dataset": id, "version": version})
		}
		res := tx.Model(&datasetRow{}).Where("generation_id = ?", id).Updates(map[string]any{
			"state": string(ml.DatasetBuilding), "builder": "",
			// A job that is repeated makes its dataset anew.
			"job_id": 0,
		})
		if res.Error == nil && res.RowsAffected == 0 {
			return noDataset(id)
		}
		return res.Error
	})
	if err != nil {
		return fmt.Errorf("store: drop dataset: %w", coded(err))
	}
	return nil
}

// dropSamples deletes a chunk of a dataset's samples, and with the last one the dataset. It reports
// whether there is more to do.
func dropSamples(c *sqlite3.SQLiteConn, id int64) (more bool, err error) {
	span := make([]driver.Value, 2)
	ok, err := queryRow(c, span, "SELECT first_sample, last_sample FROM datasets WHERE generation_id = ?", id)
	if err != nil || !ok {
		return false, err
	}
	first, ok1 := span[0].(int64)
	last, ok2 := span[1].(int64)
	if !ok1 || !ok2 {
		return false, fmt.Errorf("dataset %d has samples from %v to %v", id, span[0], span[1])
	}
	end := min(last, first+dropChunk-1)
	if err := exec(c, "DELETE FROM dataset_samples WHERE id BETWEEN ? AND ? AND generation_id = ?", first, end, id); err != nil {
		return false, err
	}
	if end < last {
		return true, exec(c, "UPDATE datasets SET first_sample = ? WHERE generation_id = ?", end+1, id)
	}
	return false, exec(c, "DELETE FROM datasets WHERE generation_id = ?", id)
}

// InUse names the active version if it was trained on the dataset, else it is empty.
func (s *Store) InUse(ctx context.Context, id int64) (version string, err error) {
	version, err = datasetUser(s.read.WithContext(ctx), id)
	if err != nil {
		return "", fmt.Errorf("store: read who uses a dataset: %w", coded(err))
	}
	return version, nil
}

const trainedOn = "SELECT version, COALESCE(is_active, 0) FROM models, json_each(models.dataset_ids) WHERE json_each.value = ? ORDER BY models.id DESC LIMIT 1000"

// TrainedOn names the versions that were trained on a dataset, the newest first, and the active one if it is
// among them.
func (s *Store) TrainedOn(ctx context.Context, id int64) (versions []string, active string, err error) {
	rows, err := s.reader.QueryContext(ctx, trainedOn, id)
	if err != nil {
		return nil, "", fmt.Errorf("store: read who uses a dataset: %w", coded(err))
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var serves bool
		if err := rows.Scan(&name, &serves); err != nil {
			return nil, "", fmt.Errorf("store: read who uses a dataset: %w", err)
		}
		if versions = append(versions, name); serves {
			active = name
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("store: read who uses a dataset: %w", coded(err))
	}
	return versions, active, nil
}

func datasetUser(q *gorm.DB, id int64) (string, error) {
	var r modelRow
	if err := q.Where("is_active = 1").Take(&r).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return "", nil
		}
		return "", err
	}
	v, err := r.version()
	if err != nil {
		return "", err
	}
	for _, used := range v.DatasetIDs {
		if used == id {
			return v.Name, nil
		}
	}
	return "", nil
}

func noDataset(id int64) error {
	return ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id).Says("error.dataset_gone", map[string]any{"dataset": id})
}
