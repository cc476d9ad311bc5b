package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"iacontinu/internal/ml"
)

// trainingRow is a row of model_training_logs.
type trainingRow struct {
	ID                      int64
	ModelVersion            *string
	TriggerReason           *string
	TrainingSamples         *int
	AccuracyBefore          *float64
	AccuracyAfter           *float64
	TrainingDurationSeconds *float64
	MLflowRunID             *string `gorm:"column:mlflow_run_id"`
	CreatedAt               timestamp
	Verdict                 string
	Details                 string
	JobID                   int64
	Told                    string // JSON, empty if it was not written down
}

func (trainingRow) TableName() string { return "model_training_logs" }

// progressRow is a row of job_progress.
type progressRow struct {
	JobID     int64 `gorm:"primaryKey;autoIncrement:false"`
	Step      string
	Fraction  float64
	Result    string // JSON, empty until the work is done
	UpdatedAt timestamp
}

func (progressRow) TableName() string { return "job_progress" }

// FinishRetrain stores what a retraining came to in one transaction: the version, its activation,
// the training record, the job's result, and what then adds, which may be nil. If the result of
// the job is stored already, it does nothing and does not call then: so the step may be repeated.
// CodeConflict if another version is active by now than the one the candidate was compared with.
func (s *Store) FinishRetrain(ctx context.Context, o ml.RetrainOutcome, then func(*sql.Tx) error) error {
	job := o.Record.JobID
	if job <= 0 {
		return fmt.Errorf("store: finish retraining: the record is of job %d", job)
	}
	o.Version.JobID = job
	err := s.transaction(ctx, func(tx *gorm.DB, raw *sql.Tx) error {
		done, err := readProgress(tx, job)
		if err != nil || done.Result != "" {
			return err
		}
		if err := s.storeOutcome(tx, raw, o); err != nil {
			return err
		}
		if then == nil {
			return nil
		}
		return then(raw)
	})
	if err != nil {
		return fmt.Errorf("store: finish retraining: %w", coded(err))
	}
	return nil
}

func (s *Store) storeOutcome(tx *gorm.DB, raw *sql.Tx, o ml.RetrainOutcome) error {
	if o.Version.CreatedAt.IsZero() {
		o.Version.CreatedAt = s.now()
	}
	version, err := rowOfVersion(o.Version)
	if err != nil {
		return err
	}
	if err := tx.Create(&version).Error; err != nil {
		return err
	}
	if o.Activate {
		if err := stillActive(tx, o.Champion); err != nil {
			return err
		}
		top, err := lastActivation(tx)
		if err != nil {
			return err
		}
		row := activationRow{Version: o.Version.Name, Action: actionActivate, Actor: jobActor(o.Record.JobID), Previous: top.ID}
		if _, err := s.activate(tx, raw, row, nil); err != nil {
			return err
		}
	}
	record, err := s.rowOfTraining(o.Record)
	if err != nil {
		return err
	}
	if err := tx.Create(&record).Error; err != nil {
		return err
	}
	result, err := json.Marshal(o.Result)
	if err != nil {
		return err
	}
	return setProgress(tx, progressRow{
		JobID: o.Record.JobID, Step: "activate", Fraction: 1, Result: string(result), UpdatedAt: stamp(s.now()),
	})
}

// jobActor is the actor of an activation by a retraining.
func jobActor(id int64) string { return "job " + strconv.FormatInt(id, 10) }

// stillActive fails if another version is active than the one of that name, empty for none.
func stillActive(tx *gorm.DB, champion string) error {
	v, err := readVersion(tx.Where("is_active = ?", true), "no version is active")
	if err != nil && ml.CodeOf(err) != ml.CodeNotFound {
		return err
	}
	if v.Name != champion {
		return ml.Errorf(ml.CodeConflict, "version %q is active by now, the candidate was compared with %q", v.Name, champion)
	}
	return nil
}

func (s *Store) rowOfTraining(t ml.TrainingRecord) (trainingRow, error) {
	if t.CreatedAt.IsZero() {
		t.CreatedAt = s.now()
	}
	seconds := t.Duration.Seconds()
	row := trainingRow{
		ModelVersion:            &t.Version,
		TriggerReason:           &t.Reason,
		TrainingSamples:         &t.TrainingSamples,
		AccuracyBefore:          t.AccuracyBefore,
		AccuracyAfter:           &t.AccuracyAfter,
		TrainingDurationSeconds: &seconds,
		CreatedAt:               stamp(t.CreatedAt),
		Verdict:                 string(t.Verdict),
		Details:                 t.Details,
		JobID:                   t.JobID,
	}
	if t.MLflowRunID != "" {
		row.MLflowRunID = &t.MLflowRunID
	}
	if t.Told == nil {
		return row, nil
	}
	told, err := json.Marshal(t.Told)
	row.Told = string(told)
	return row, err
}

// TrainingHistory reads the newest retrainings, newest first, and how many there are.
func (s *Store) TrainingHistory(ctx context.Context, limit int) ([]ml.TrainingRecord, int64, error) {
	return s.TrainingsBefore(ctx, 0, limit)
}

// TrainingsBefore reads the newest retrainings of those that are older than one, newest first, and how many there are
// of all; id 0 leaves none out.
func (s *Store) TrainingsBefore(ctx context.Context, id int64, limit int) ([]ml.TrainingRecord, int64, error) {
	rows, total, err := newest[trainingRow](s.read.WithContext(ctx).Model(&trainingRow{}), "id", id, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read training history: %w", coded(err))
	}
	out := make([]ml.TrainingRecord, len(rows))
	for i, r := range rows {
		out[i] = r.record()
	}
	return out, total, nil
}

func (r trainingRow) record() ml.TrainingRecord {
	return ml.TrainingRecord{
		ID:              r.ID,
		Version:         value(r.ModelVersion),
		Reason:          value(r.TriggerReason),
		TrainingSamples: value(r.TrainingSamples),
		AccuracyBefore:  r.AccuracyBefore,
		AccuracyAfter:   value(r.AccuracyAfter),
		Duration:        time.Duration(value(r.TrainingDurationSeconds) * float64(time.Second)),
		MLflowRunID:     value(r.MLflowRunID),
		CreatedAt:       r.CreatedAt.Time,
		Verdict:         ml.Verdict(r.Verdict),
		Details:         r.Details,
		Reasons:         r.reasons(),
		JobID:           r.JobID,
	}
}

// reasons are what the details say, as they were told to trackers.
func (r trainingRow) reasons() []ml.Remark {
	var told struct {
		Result struct {
			Reasons []ml.Remark `json:"reasons"`
		} `json:"result"`
	}
	_ = json.Unmarshal([]byte(r.Told), &told) // of an earlier program there is nothing: the details are known all the same
	return told.Result.Reasons
}

// Training reads how a version was made; CodeNotFound if that is not known.
func (s *Store) Training(ctx context.Context, version string) (ml.TrainingRecord, error) {
	var r trainingRow
	if err := s.read.WithContext(ctx).Where("model_version = ?", version).Order("id DESC").Take(&r).Error; err != nil {
		return ml.TrainingRecord{}, fmt.Errorf("store: read the training of %s: %w", version, found(err, "no training of %s is known", version))
	}
	record := r.record()
	if r.Told == "" {
		return record, nil
	}
	if err := json.Unmarshal([]byte(r.Told), &record.Told); err != nil {
		return record, fmt.Errorf("store: read the training of %s: %w", version, err)
	}
	return record, nil
}

// SetMLflowRun notes under which id MLflow knows the retraining of a job.
func (s *Store) SetMLflowRun(ctx context.Context, jobID int64, runID string) error {
	err := s.write.WithContext(ctx).Model(&trainingRow{}).Where("job_id = ? AND job_id <> 0", jobID).Update("mlflow_run_id", runID).Error
	if err != nil {
		return fmt.Errorf("store: note the MLflow run of job %d: %w", jobID, coded(err))
	}
	return nil
}

// SetProgress notes how far a job has come. Once the job's result is stored it does nothing.
func (s *Store) SetProgress(ctx context.Context, jobID int64, step string, fraction float64) error {
	err := setProgress(s.write.WithContext(ctx), progressRow{
		JobID: jobID, Step: step, Fraction: fraction, UpdatedAt: stamp(s.now()),
	})
	if err != nil {
		return fmt.Errorf("store: set progress: %w", coded(err))
	}
	return nil
}

func setProgress(q *gorm.DB, row progressRow) error {
	return q.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "job_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"step", "fraction", "result", "updated_at"}),
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "job_progress.result = ''"}}},
	}).Create(&row).Error
}

// Progress reads how far a job has come. It is zero for a job that has not said yet.
func (s *Store) Progress(ctx context.Context, jobID int64) (ml.JobProgress, error) {
	row, err := readProgress(s.read.WithContext(ctx), jobID)
	if err != nil {
		return ml.JobProgress{}, fmt.Errorf("store: read progress: %w", coded(err))
	}
	out := ml.JobProgress{Step: row.Step, Fraction: row.Fraction, UpdatedAt: row.UpdatedAt.Time}
	if row.Result != "" {
		out.Result = &ml.RetrainResult{}
		if err := json.Unmarshal([]byte(row.Result), out.Result); err != nil {
			return ml.JobProgress{}, fmt.Errorf("store: read progress: job %d: %w", jobID, err)
		}
	}
	return out, nil
}

func readProgress(q *gorm.DB, jobID int64) (progressRow, error) {
	var row progressRow
	err := q.Where("job_id = ?", jobID).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return progressRow{}, nil
	}
	return row, err
}
