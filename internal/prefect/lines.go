package prefect

import (
	"context"
	"net/http"
	"time"

	"iacontinu/internal/flowrun"
)

const (
	lineBatch = 200
	// maxLinesRead is more than a run has by far.
	maxLinesRead = 20_000
	// Loggers' names as Prefect's own engine has them, which its UI knows.
	runLogger  = "prefect.flow_runs"
	taskLogger = "prefect.task_runs"
)

// serverLine is a line as the server keeps it.
type serverLine struct {
	Name      string    `json:"name"`
	Level     int       `json:"level"`
	Message   string    `json:"message"`
	Timestamp time.Time `json:"timestamp"`
	FlowRunID string    `json:"flow_run_id"`
	TaskRunID string    `json:"task_run_id"`
}

// sendLines sends the lines that were not sent.
func (r *Reporter) sendLines(ctx context.Context, run flowrun.Run) error {
	for r.lines < len(run.Lines) {
		n := min(len(run.Lines)-r.lines, lineBatch)
		batch := make([]object, 0, n)
		for _, l := range run.Lines[r.lines : r.lines+n] {
			batch = append(batch, r.line(l))
		}
		if err := r.post(ctx, batch); err != nil {
			return err
		}
		r.lines += n
	}
	return nil
}

// post sends lines. The server can't tell a line that it has from one that was said twice.
func (r *Reporter) post(ctx context.Context, batch []object) error {
	_, err := r.c.do(ctx, request{operation: "send_logs", method: http.MethodPost, path: "/logs/", in: batch, once: true})
	return err
}

func (r *Reporter) line(l flowrun.Line) object {
	out := object{
		"name": runLogger, "level": int(l.Level), "message": clip(l.Text, maxText), "timestamp": stamp(l.At), "flow_run_id": r.id,
	}
	if l.Step != "" {
		out["name"], out["task_run_id"] = taskLogger, taskRunID(r.id, l.Step)
	}
	return out
}

// lineKey is what tells lines apart.
type lineKey struct{ at, task, text string }

// learnLines finds out which of the run's lines the server has and sends those that it lacks: an
// earlier process may have been stopped between any two batches.
func (r *Reporter) learnLines(ctx context.Context, run flowrun.Run) error {
	if len(run.Lines) == 0 {
		return nil
	}
	there, err := r.readLines(ctx)
	if err != nil {
		return err
	}
	var missing []object
	for _, l := range run.Lines {
		o := r.line(l)
		task, _ := o["task_run_id"].(string)
		key := lineKey{o["timestamp"].(string), task, o["message"].(string)}
		if there[key] > 0 {
			there[key]--
			continue
		}
		missing = append(missing, o)
	}
	for len(missing) > 0 {
		n := min(len(missing), lineBatch)
		if err := r.pass(ctx, run, r.post(ctx, missing[:n])); err != nil {
			return err
		}
		missing = missing[n:]
	}
	r.lines = len(run.Lines)
	return nil
}

func (r *Reporter) readLines(ctx context.Context) (map[lineKey]int, error) {
	there := map[lineKey]int{}
	for offset := 0; offset < maxLinesRead; offset += pageSize {
		var page []serverLine
		_, err := r.c.do(ctx, request{
			operation: "read_logs", method: http.MethodPost, path: "/logs/filter", out: &page,
			in: object{"logs": object{"flow_run_id": anyOf(r.id)}, "sort": "TIMESTAMP_ASC", "limit": pageSize, "offset": offset},
		})
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			there[lineKey{stamp(l.Timestamp), l.TaskRunID, l.Message}]++
		}
		if len(page) < pageSize {
			break
		}
	}
	return there, nil
}
