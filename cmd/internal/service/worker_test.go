package service

import (
	"strings"
	"testing"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
)

// TestPeopleHearOfAFailedRetraining has a worker try what can't work: a dataset that is not there.
func TestPeopleHearOfAFailedRetraining(t *testing.T) {
	t.Parallel()
	discord := discordtest.NewServer(t, discordtest.Options{})
	p := openPlatform(t, t.TempDir())
	id, _, err := p.Queue.EnqueueRetrain(t.Context(), ml.RetrainArgs{DatasetID: 99, Reason: ml.ReasonManual})
	if err != nil {
		t.Fatal(err)
	}
	finish(t, p, discord.WebhookURL)
	if job, err := p.Queue.Job(t.Context(), id); err != nil || job.State != ml.JobFailed {
		t.Errorf("the job is %+v, %v; want failed", job, err)
	}
	told := discord.Payloads()
	if len(told) != 1 || !strings.Contains(string(told[0].Body), "A retraining failed") || !strings.Contains(string(told[0].Body), "ataset 99") {
		t.Errorf("told %s, want once that a retraining failed and of which dataset", told)
	}
}
