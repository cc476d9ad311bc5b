package apiserver

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// backups makes and lists copies of the platform's data.
type backups interface {
	// Backups lists them, newest first, and says how many are kept.
	Backups(ctx context.Context) (all []api.Backup, kept int, err error)
	// BackUp has ml.CodeConflict while another one is made.
	BackUp(ctx context.Context) (api.Backup, error)
}

// settings are those of this process; secrets are masked already.
func (s *Server) settings(_ context.Context, _ *none) (*with[api.SettingList], error) {
	return &with[api.SettingList]{api.SettingList{Settings: list(s.opt.Settings)}}, nil
}

func (s *Server) backups(ctx context.Context, _ *none) (*with[api.BackupList], error) {
	all, kept, err := s.opt.Backups.Backups(ctx)
	if err != nil {
		return nil, err
	}
	return &with[api.BackupList]{api.BackupList{Backups: list(all), Kept: kept}}, nil
}

// backUp makes a backup. It goes on when the client has gone: half a one is of no use.
func (s *Server) backUp(ctx context.Context, _ *none) (*with[api.Backup], error) {
	b, err := s.opt.Backups.BackUp(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, "backup", "backup "+b.Name+" was made", map[string]any{"name": b.Name, "bytes": b.SizeBytes}); err != nil {
		return nil, err
	}
	return &with[api.Backup]{b}, nil
}

func (s *Server) testNotificationOp() huma.Operation {
	op := s.op(post, api.PathTestNotification, adminOnly, "platform", "test-notification", "Send people a message that says that messages arrive; the job says what came of it")
	op.DefaultStatus = http.StatusAccepted
	return op
}

func (s *Server) testNotification(ctx context.Context, _ *none) (*with[api.Job], error) {
	who := actor(identityOf(ctx))
	id, err := s.opt.Queue.EnqueueTest(ctx, ml.Event{
		Topic: ml.EventTest, State: "asked", Severity: ml.SeverityInfo, At: s.opt.Clock().UTC(),
		Says: []ml.Remark{{Code: "notice.test"}, {Code: "test.arrives"}, {Code: "test.asked_by", Values: map[string]any{"who": who}}},
	}, who)
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, "notification_test", "a test message was asked for", map[string]any{"job_id": id}); err != nil {
		return nil, err
	}
	job, err := s.opt.Queue.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	out, err := s.jobOf(ctx, job)
	if err != nil {
		return nil, err
	}
	return &with[api.Job]{out}, nil
}
