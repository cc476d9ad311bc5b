package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/apiserver"
	"iacontinu/internal/auth"
	"iacontinu/internal/kpi"
	"iacontinu/internal/predict"
)

// API is the REST API with what it needs beside it: the follower that keeps its model current, the one
// that keeps its revoked tokens current, and the one that keeps the figures for dashboards current.
type API struct {
	server   *apiserver.Server
	follower *predict.Follower
	accounts *auth.Service
	figures  *kpi.Refresher
	window   *kpi.Window
}

// NewAPI opens the API and binds its port; Run serves. The first accounts of an empty folder are
// made here.
func NewAPI(ctx context.Context, p *Platform, c APISettings, around Around) (*API, error) {
	accounts, err := p.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.firstUsers(ctx, c); err != nil {
		return nil, err
	}
	if err := p.guardPublicPasswords(ctx, c.Host); err != nil {
		return nil, err
	}
	predictor, err := predict.New(predict.Options{Log: p.Store, Registerer: p.Registry})
	if err != nil {
		return nil, err
	}
	follower, err := predict.NewFollower(predictor, predict.FollowerOptions{Versions: p.Store, Load: p.loadArtifact, Logger: p.Log})
	if err != nil {
		return nil, err
	}
	figures, err := kpi.New(kpi.Options{Read: p.figures, Registerer: p.Registry, Logger: p.Log})
	if err != nil {
		return nil, err
	}
	window := kpi.NewWindow(p.Registry, nil)
	var server *apiserver.Server
	server, err = apiserver.New(apiserver.Options{
		Addr:           boot.HostPort(c.Host, c.Port),
		Version:        boot.Version(),
		TrustedProxies: c.Proxies,
		Predictor:      predictor,
		Follower:       follower,
		Tokens:         accounts,
		Accounts:       accounts,
		Users:          p.Store,
		Versions:       p.Store,
		Artifacts:      artifacts{p},
		Activator:      p,
		Catalogue:      p.Store,
		Datasets:       uploads{p.Datasets},
		Queue:          p.Queue,
		Progress:       p.Store,
		Records:        records{p.Store},
		CheckLog:       p.Store,
		Auditor:        p.Store,
		Backups:        newBackups(p),
		Settings:       around.Settings,
		Metrics:        promhttp.HandlerFor(p.Registry, promhttp.HandlerOpts{EnableOpenMetrics: true}),
		Checks:         p.checks(predictor),
		Tracer:         p.Tracer,
		Waiting:        p.waiting,
		LastFailed:     p.lastFailed,
		Services:       p.services(predictor, around, func() string { return server.URL() }),
		KPIs:           p.kpis(predictor, window),
		MLflowURL:      around.servers()[0].link,
		Registerer:     p.Registry,
		Logger:         p.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("API_HOST, API_PORT: %w", err)
	}
	if err := p.Datasets.Sweep(ctx); err != nil {
		p.Log.WarnContext(ctx, "leftovers of interrupted datasets are not removed", "error", err)
	}
	// A version that is active already serves from the first request on.
	if err := follower.Sync(ctx); err != nil {
		p.Log.WarnContext(ctx, "no model serves yet", "error", err)
	}
	return &API{server: server, follower: follower, accounts: accounts, figures: figures, window: window}, nil
}

// URL is where the API is reached from this machine.
func (a *API) URL() string { return a.server.URL() }

// Close releases the port of an API that never ran.
func (a *API) Close() error { return a.server.Close() }

// Run serves until ctx ends.
func (a *API) Run(ctx context.Context) error {
	return boot.RunAll(ctx, a.server, a.follower, a.accounts, a.figures, a.window)
}

// guardPublicPasswords keeps the accounts of the demonstration on the machine that they were made on: in
// production they are refused, and elsewhere told of where others can reach them.
func (p *Platform) guardPublicPasswords(ctx context.Context, host string) error {
	ip := net.ParseIP(host)
	open := host != "localhost" && (ip == nil || !ip.IsLoopback())
	if !open && !p.Folder.Production() {
		return nil
	}
	public, err := auth.PublicPasswords(ctx, p.Store)
	if err != nil || len(public) == 0 {
		return err
	}
	const mend = "iacontinu user passwd NAME sets another"
	if p.Folder.Production() {
		return fmt.Errorf("ENVIRONMENT: not in %s while the accounts %s have the public passwords of the demonstration: %s",
			p.Folder.Environment, strings.Join(public, " and "), mend)
	}
	p.Log.WarnContext(ctx, "accounts have public passwords, and API_HOST lets other machines in: "+mend+", API_HOST=127.0.0.1 keeps them out", "users", public, "host", host)
	return nil
}

// firstUsers makes the first accounts of an empty folder: the two of the demonstration with their
// public passwords, or one administrator with the password given, or a random one that lies in a file.
func (p *Platform) firstUsers(ctx context.Context, c APISettings) error {
	if c.DemoUsers {
		made, err := auth.DemoUsers(ctx, p.Store)
		if err != nil {
			return fmt.Errorf("make the demo users: %w", err)
		}
		if made {
			p.Log.WarnContext(ctx, "the demo users have public passwords: for a machine that nobody else reaches", "users", []string{"admin", "testuser"})
			if c.AdminPassword != "" {
				p.Log.WarnContext(ctx, "IACONTINU_ADMIN_PASSWORD is not used: IACONTINU_DEMO_USERS gives `admin` its public password")
			}
		} else {
			p.Log.InfoContext(ctx, "the folder has accounts, so no demo users are made: iacontinu user list shows them, iacontinu user passwd sets a password")
		}
		return nil
	}
	path, created, err := auth.InitialAdmin(ctx, p.Store, p.Folder.DataDir(), c.AdminPassword)
	if err != nil {
		return errors.Join(errors.New("make the first administrator"), err)
	}
	switch {
	case !created:
	case path == "":
		p.Log.InfoContext(ctx, "first administrator made: `admin` has the password of IACONTINU_ADMIN_PASSWORD")
	default:
		p.Log.InfoContext(ctx, "first administrator made: the password of `admin` lies in a file", "file", path)
	}
	return nil
}
