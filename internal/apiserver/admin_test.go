package apiserver

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func (w *world) EnqueueTest(_ context.Context, e ml.Event, by string) (int64, error) {
	defer w.locked()()
	w.tests = append(w.tests, e)
	w.jobs[9] = ml.Job{ID: 9, Kind: ml.NotifyArgs{}.Kind(), State: ml.JobQueued, RequestedBy: by, CreatedAt: testNow}
	return 9, w.fail
}

func (w *world) Backups(context.Context) ([]api.Backup, int, error) { return w.saved, 10, w.fail }

func (w *world) BackUp(context.Context) (api.Backup, error) {
	if w.fail != nil {
		return api.Backup{}, w.fail
	}
	b := api.Backup{Name: "20261123T170000Z", CreatedAt: testNow, SizeBytes: 1234}
	w.saved = append(w.saved, b)
	return b, nil
}

func TestSettings(t *testing.T) {
	t.Parallel()
	want := []api.Setting{{Name: "API_PORT", Value: "8000"}, {Name: "JWT_SECRET_KEY", Value: "(set)"}}
	b := setup(t, func(_ *world, o *Options) { o.Settings = want })
	got, err := b.client(t, "admin").Settings(t.Context())
	if diff := cmp.Diff(want, got.Settings); diff != "" || err != nil {
		t.Errorf("%v, settings (-want +got):\n%s", err, diff)
	}
}

func TestBackups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	if got, err := c.Backups(t.Context()); err != nil || got.Backups == nil || got.Kept != 10 {
		t.Errorf("before the first: %+v, %v", got, err)
	}
	made, err := c.BackUp(t.Context())
	if err != nil || made.Name != "20261123T170000Z" {
		t.Errorf("%+v, %v", made, err)
	}
	if got, err := c.Backups(t.Context()); err != nil || !slices.Equal(got.Backups, []api.Backup{made}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got := b.events(); !slices.Equal(got, []string{"backup"}) {
		t.Errorf("audit %v", got)
	}
	b.fail = ml.Errorf(ml.CodeConflict, "another backup is being made")
	if _, err := c.BackUp(t.Context()); api.AsProblem(err) == nil || api.AsProblem(err).Status != 409 {
		t.Errorf("a second at once: %v", err)
	}
}

// Whoever asked for a test message learns what came of it; other messages' jobs stay nobody's.
func TestTestNotification(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "admin")
	job, err := c.TestNotification(t.Context())
	if err != nil || job.ID != 9 || job.State != "queued" || job.RequestedBy != "admin" {
		t.Fatalf("%+v, %v", job, err)
	}
	if len(b.tests) != 1 || b.tests[0].Topic != ml.EventTest || !slices.Equal(b.events(), []string{"notification_test"}) {
		t.Errorf("asked for %+v, audit %v", b.tests, b.events())
	}
	b.jobs[9] = ml.Job{ID: 9, Kind: ml.NotifyArgs{}.Kind(), State: ml.JobFailed, RequestedBy: "admin", Error: "no webhook is set"}
	if job, err = c.Job(t.Context(), 9); err != nil || job.State != "failed" || job.Error != "no webhook is set" {
		t.Errorf("what came of it: %+v, %v", job, err)
	}
	if _, err := b.client(t, "user").Job(t.Context(), 9); api.AsProblem(err) == nil || api.AsProblem(err).Status != 404 {
		t.Errorf("somebody else's: %v", err)
	}
}
