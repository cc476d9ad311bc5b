package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func open(ctx context.Context, c config, path string) (*store.Store, error) {
	return store.Open(ctx, store.Options{Path: path, NoTurnstile: c.mode != modeTurnstile, Logger: quiet()})
}

// predict commits predictions back to back: the worst neighbour that a job can have.
func predict(ctx context.Context, c config) error {
	s, err := open(ctx, c, c.predictionsFile())
	if err != nil {
		return err
	}
	defer s.Close()
	rows := make([]ml.Prediction, c.rows)
	for i := range rows {
		rows[i] = ml.Prediction{
			ID: fmt.Sprintf("0197f0a1b2c3-0001-%012d", i), ModelVersion: "v20260101-120000-1",
			Features: []float64{float64(i), -1.234567}, Confidence: 0.87654, CreatedAt: time.Now(),
		}
	}
	var r report
	for end := time.Now().Add(time.Duration(c.seconds) * time.Second); time.Now().Before(end); {
		if err := s.LogBatch(ctx, rows); err != nil {
			r.Errors++
			continue
		}
		r.Rows += len(rows)
		if c.mode == modePause {
			time.Sleep(time.Millisecond)
		}
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}
