package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/pages"
	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
)

// RunAPI is the process of cmd/api.
func RunAPI(ctx context.Context, c APIConfig, log *slog.Logger) error {
	return onFolder(ctx, c.Process, "api", log, func(ctx context.Context, p *Platform) error {
		api, err := NewAPI(ctx, p, c.APISettings, Around{c.WatchedSettings, c.TrackingURI, c.PrefectURL, settingsOf(&c)})
		if err != nil {
			return err
		}
		work, err := withOptionalAdmin(ctx, p, c.Admin, api)
		if err != nil {
			return errors.Join(err, api.Close())
		}
		log.InfoContext(ctx, "ready", "url", api.URL(), "docs", api.URL()+"/docs")
		return boot.RunAll(ctx, work...)
	})
}

// RunWorker is the process of cmd/worker.
func RunWorker(ctx context.Context, c WorkerConfig, log *slog.Logger) error {
	return onFolder(ctx, c.Process, "worker", log, func(ctx context.Context, p *Platform) error {
		server, err := NewPrefect(ctx, p, c.PrefectSettings)
		if err != nil {
			return err
		}
		worker, err := NewWorker(ctx, p, c.WorkerSettings, Tracking{c.TrackingURI, c.MLflowPublic, c.MLflowSettings}, server)
		if err != nil {
			return err
		}
		return withAdmin(ctx, p, "WORKER_PORT", c.Admin, c.Port, worker)
	})
}

// RunFlow is the process of cmd/flow.
func RunFlow(ctx context.Context, c FlowConfig, log *slog.Logger) error {
	return onFolder(ctx, c.Process, "flow", log, func(ctx context.Context, p *Platform) error {
		server, err := NewPrefect(ctx, p, c.PrefectSettings)
		if err != nil {
			return err
		}
		flow, err := NewFlow(p, c.FlowSettings, server, c.APIURL)
		if err != nil {
			return err
		}
		return withAdmin(ctx, p, "FLOW_PORT", c.Admin, c.Port, flow)
	})
}

// RunUp is `iacontinu up`: API, worker, flow runner and web pages in one process. ready is called once
// requests are taken, with where the API and the pages are.
func RunUp(ctx context.Context, c UpConfig, log *slog.Logger, ready func(api, ui string)) error {
	only, err := presence.Exclusive(c.DataDir(), "up")
	if ml.CodeOf(err) == ml.CodeConflict {
		return fmt.Errorf("%w: use that one, stop it first, or start this one in another folder", err)
	}
	if err != nil {
		return fmt.Errorf("DATABASE_URL: the folder %s can't be used: %w", c.DataDir(), err)
	}
	err = onFolder(ctx, c.Process, "up", log, func(ctx context.Context, p *Platform) error {
		server, err := NewPrefect(ctx, p, c.PrefectSettings)
		if err != nil {
			return err
		}
		api, err := NewAPI(ctx, p, c.APISettings, Around{c.WatchedSettings, c.TrackingURI, c.PrefectURL, settingsOf(&c)})
		if err != nil {
			return err
		}
		worker, err := NewWorker(ctx, p, c.WorkerSettings, Tracking{c.TrackingURI, c.MLflowPublic, c.MLflowSettings}, server)
		if err != nil {
			return errors.Join(err, api.Close())
		}
		flow, err := NewFlow(p, c.FlowSettings, server, api.URL())
		if err != nil {
			return errors.Join(err, api.Close())
		}
		ui, err := pages.New(c.UI, api.URL(), p.Log, p.Tracer, p.Registry)
		if err != nil {
			return errors.Join(err, api.Close())
		}
		work, err := withOptionalAdmin(ctx, p, c.Admin, api, worker, flow, ui)
		if err != nil {
			return errors.Join(err, ui.Close(), api.Close())
		}
		log.InfoContext(ctx, "ready", "url", api.URL(), "docs", api.URL()+"/docs", "ui", ui.URL(), "detector", c.Detector, "interval", c.Interval.String())
		ready(api.URL(), ui.URL())
		return boot.RunAll(ctx, work...)
	})
	return errors.Join(err, only.Close())
}

// startBytes is what a process writes to an empty data folder until it works, measured and rounded up.
const startBytes = 1 << 20

// onFolder opens the folder, runs the process on it and closes it, whatever happened. Without room for
// the start it says so, and not at a write after the process called itself ready.
func onFolder(ctx context.Context, c Process, name string, log *slog.Logger, run func(context.Context, *Platform) error) error {
	err := writable(c.DataDir(), startBytes)
	if ml.DiskFull(err) {
		return fmt.Errorf("DATABASE_URL: the disk of %s is full: make room, a start takes %d MB: %w", c.DataDir(), startBytes>>20, err)
	}
	p, err := open(ctx, c, name, log, prometheus.NewRegistry())
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, p), p.Close())
}

// withAdmin runs a process that has no API of its own beside its admin listener.
func withAdmin(ctx context.Context, p *Platform, setting string, host boot.AdminHost, port boot.Port, work boot.Part) error {
	admin, err := p.admin(ctx, setting, host, port)
	if err != nil {
		return err
	}
	p.Log.InfoContext(ctx, "ready", "admin", "http://"+admin.Addr().String())
	return boot.RunAll(ctx, admin, work)
}

// withOptionalAdmin adds an admin listener to a process with an API if one is asked for.
func withOptionalAdmin(ctx context.Context, p *Platform, c OptionalAdmin, work ...boot.Part) ([]boot.Part, error) {
	if c.Port == nil {
		return work, nil
	}
	admin, err := p.admin(ctx, "ADMIN_PORT", c.AdminHost, *c.Port)
	if err != nil {
		return nil, err
	}
	p.Log.InfoContext(ctx, "admin listener", "admin", "http://"+admin.Addr().String())
	return append(work, admin), nil
}

func (p *Platform) admin(ctx context.Context, setting string, host boot.AdminHost, port boot.Port) (*boot.Admin, error) {
	return boot.NewAdmin(ctx, boot.AdminOptions{
		Setting: setting, Addr: boot.HostPort(host.Host, port), Gatherer: p.Registry, Health: p.Store.Ping, Administrator: p.administrator,
	})
}

// administrator checks a token against all that is known of it now: it is asked for seldom, and not every
// process follows the revocations.
func (p *Platform) administrator(ctx context.Context, token string) error {
	accounts, err := p.Accounts(ctx)
	if err != nil {
		p.Log.ErrorContext(ctx, "a token can't be checked", "error", err)
		return errors.New("the token can't be checked now")
	}
	who, err := accounts.Verify(ctx, token)
	switch {
	case ml.CodeOf(err) == ml.CodeUnauthorized:
		return err
	case err != nil:
		p.Log.ErrorContext(ctx, "a token can't be checked", "error", err)
		return errors.New("the token can't be checked now")
	case who.Role != ml.RoleAdmin:
		return boot.ErrNotAdministrator
	}
	return nil
}

// CheckAPI asks the running API whether it is well.
func CheckAPI(ctx context.Context, c APIConfig) error {
	return boot.Ask(ctx, c.Host, c.Port, "/health")
}

// CheckUp asks a running iacontinu up for its API and its pages.
func CheckUp(ctx context.Context, c UpConfig) error {
	return errors.Join(
		boot.Ask(ctx, c.Host, c.Port, "/health"),
		boot.Ask(ctx, c.UI.Host, c.UI.Port, "/healthz"))
}

// CheckAdmin asks a running process's admin listener whether it is well.
func CheckAdmin(ctx context.Context, host boot.AdminHost, port boot.Port) error {
	return boot.Ask(ctx, host.Host, port, "/healthz")
}
