package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// The pauses between two looks at a job, and how long one may take before a person is told of it.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 500 * time.Millisecond
	quiet     = time.Second
	// swapTime is how long the API may take to serve the version that a job activated.
	swapTime = 10 * time.Second
)

// retrain has the platform train a version and shows what came of it.
func retrain(c *call, args []string) error {
	var req api.RetrainRequest
	c.flags.Int64Var(&req.DatasetID, "dataset", 0, "train on this dataset alone; 0 takes the newest rows of the active schema")
	c.flags.Float64Var(&req.C, "c", 0, "inverse strength of the L2 penalty; 0 means 1")
	c.flags.BoolVar(&req.Balanced, "balanced", false, "weigh the classes by the inverse of their frequency")
	c.flags.Uint64Var(&req.Seed, "seed", 0, "seed of the split into training and holdout rows")
	patience := c.flags.Duration("wait", time.Minute, "how long to wait for the end, such as 90s or 5m; the retraining itself goes on")
	async := c.flags.Bool("async", false, "return at once with the job's number")
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	reply, err := client.Retrain(c.ctx, req, false)
	if err != nil {
		return reachable(err)
	}
	if reply.Done != nil {
		return c.retrained(*reply.Done)
	}
	id := reply.Job.ID
	if worker := workerCheck(c.ctx, client); worker.Status != api.CheckOK {
		fmt.Fprintf(c.err, "job %d waits for a worker; %s (iacontinu up, or worker)\n", id, worker.Detail)
	}
	if *async {
		fmt.Fprintf(c.out, "job %d is %s; look later: %s\n", id, reply.Job.State, c.next("job %d", id))
		return nil
	}
	job, err := c.await(client, id, *patience)
	if err != nil {
		return err
	}
	if job.Result != nil {
		c.awaitSwap(client, job.Result.ModelVersion)
	}
	return c.ended(job)
}

// showJob tells how a retraining stands.
func showJob(c *call, args []string) error {
	numbers, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(numbers[0], 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not the number of a job: %w", numbers[0], errUsage)
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	job, err := client.Job(c.ctx, id)
	if err != nil {
		return reachable(err)
	}
	if ml.JobState(job.State).Final() {
		return c.ended(job)
	}
	fmt.Fprintf(c.out, "job %s, asked for at %s\n", standing(job), job.CreatedAt.UTC().Format(time.DateTime))
	if worker := workerCheck(c.ctx, client); worker.Status != api.CheckOK {
		fmt.Fprintf(c.out, "  it waits for a worker; %s\n", worker.Detail)
	}
	return nil
}

// workerCheck is what the platform knows of its worker; well if it does not say.
func workerCheck(ctx context.Context, client *api.Client) api.Check {
	health, err := client.Health(ctx)
	check, ok := health.Checks["worker"]
	if err != nil || !ok {
		return api.Check{Status: api.CheckOK}
	}
	return check
}

// await returns the job once it has ended, and shows how it stands meanwhile.
func (c *call) await(client *api.Client, id int64, patience time.Duration) (api.Job, error) {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	started, shown := time.Now(), ""
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		job, err := client.Job(c.ctx, id)
		if err != nil && c.ctx.Err() == nil {
			return job, fmt.Errorf("job %d: its state is not known (look later: %s): %w", id, c.next("job %d", id), reachable(err))
		}
		if err == nil && ml.JobState(job.State).Final() {
			return job, nil
		}
		if now := standing(job); err == nil && now != shown && time.Since(started) > quiet {
			shown = now
			fmt.Fprintf(c.err, "job %s, %s\n", now, time.Since(started).Round(time.Second))
		}
		select {
		case <-ctx.Done():
			return job, fmt.Errorf("job %d has not ended in %s and goes on; look later: %s",
				id, time.Since(started).Round(time.Second), c.next("job %d", id))
		case <-time.After(pause):
		}
	}
}

// standing is "7 is running, step train".
func standing(job api.Job) string {
	text := fmt.Sprintf("%d is %s", job.ID, job.State)
	if job.Step != "" {
		text += ", step " + job.Step
	}
	if job.Error != "" {
		text += " after: " + job.Error
	}
	return text
}

// ended shows what came of a job.
func (c *call) ended(job api.Job) error {
	if job.Result == nil {
		return fmt.Errorf("job %d %s: %s", job.ID, job.State, job.Error)
	}
	return c.retrained(*job.Result)
}

// awaitSwap waits until the API serves the version that a job left active, so that the next command meets
// it. What is printed of the job is true in any case.
func (c *call) awaitSwap(client *api.Client, version string) {
	ctx, cancel := context.WithTimeout(c.ctx, swapTime)
	defer cancel()
	for pause := firstLook; ctx.Err() == nil; pause = min(2*pause, lastLook) {
		info, err := client.ModelInfo(ctx)
		if err == nil && info.ModelVersion != nil && *info.ModelVersion == version {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// retrained prints what a retraining came to.
func (c *call) retrained(done api.RetrainResponse) error {
	if done.Status == api.StatusRejected {
		_, err := fmt.Fprintf(c.out, "%s: %s goes on, accuracy %.4f; the candidate %s has %.4f, trained on %d rows (%.2f s)\n  %s\n", done.Status,
			done.ModelVersion, done.Accuracy, done.CandidateVersion, done.CandidateAccuracy, done.TrainingSamples, done.DurationSeconds, done.Details)
		return err
	}
	_, err := fmt.Fprintf(c.out, "%s: %s serves, accuracy %.4f on %d rows trained (%.2f s)\n  %s\n",
		done.Status, done.ModelVersion, done.Accuracy, done.TrainingSamples, done.DurationSeconds, done.Details)
	return err
}
