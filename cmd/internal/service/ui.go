package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
	"iacontinu/internal/webui"
)

// UISettings are the settings of the web pages.
type UISettings struct {
	Host         string `env:"UI_HOST" envDefault:"0.0.0.0" help:"address the web pages listen on"`
	Port         Port   `env:"UI_PORT" envDefault:"8501" help:"port of the web pages; 0 picks a free one"`
	SecureCookie string `env:"UI_SECURE_COOKIE" envDefault:"auto" help:"auto: the session's cookie is for TLS alone if the page came by TLS, as X-Forwarded-Proto says of a proxy; true: always"`
}

// Validate implements the check of boot.Load.
func (u UISettings) Validate() error {
	if u.SecureCookie != "auto" && u.SecureCookie != "true" {
		return fmt.Errorf("UI_SECURE_COOKIE: %q is not one of auto, true", u.SecureCookie)
	}
	return nil
}

// UIConfig is the configuration of cmd/ui. It reads no data folder: what it shows it asks the API for.
type UIConfig struct {
	UISettings
	APIURL    string `env:"API_URL" envDefault:"http://localhost:8000" help:"where the API is"`
	AdminPort Port   `env:"UI_ADMIN_PORT" envDefault:"8004" help:"port of the admin listener; 0 picks a free one"`
	Admin     AdminHost
	Traces    boot.TraceConfig
	boot.LogConfig
}

// Validate implements the check of boot.Load.
func (c UIConfig) Validate() error {
	return errors.Join(c.UISettings.Validate(), c.Traces.Validate(), judgeBase("API_URL", c.APIURL, " such as http://localhost:8000"))
}

// NewUI opens the web pages of the API at apiURL and binds their port.
func NewUI(c UISettings, apiURL string, log *slog.Logger, tracer trace.Tracer, reg prometheus.Registerer) (*webui.Server, error) {
	ui, err := webui.New(webui.Options{
		Addr: hostPort(c.Host, c.Port), APIURL: apiURL, SecureCookie: c.SecureCookie == "true", Logger: log, Tracer: tracer, Registerer: reg,
	})
	if err != nil {
		return nil, fmt.Errorf("UI_HOST, UI_PORT: %w", err)
	}
	return ui, nil
}

// RunUI is the process of cmd/ui.
func RunUI(ctx context.Context, c UIConfig, log *slog.Logger) error {
	traces, err := boot.OpenTraces(ctx, c.Traces, "ui", log)
	if err != nil {
		return err
	}
	return errors.Join(runUI(ctx, c, log, traces.Tracer(tracing.Scope), prometheus.NewRegistry()), traces.Close())
}

func runUI(ctx context.Context, c UIConfig, log *slog.Logger, tracer trace.Tracer, reg registry) error {
	if err := boot.RegisterBasics(reg, "ui", "", ""); err != nil {
		return fmt.Errorf("make the metrics registry: %w", err)
	}
	ui, err := NewUI(c.UISettings, c.APIURL, log, tracer, reg)
	if err != nil {
		return err
	}
	admin, err := boot.NewAdmin(ctx, boot.AdminOptions{
		Setting: "UI_ADMIN_PORT", Addr: hostPort(c.Admin.Host, c.AdminPort), Gatherer: reg,
		Health:        func(context.Context) error { return nil }, // what the API is like is told by the API
		Administrator: administratorOf(c.APIURL),
	})
	if err != nil {
		return errors.Join(err, ui.Close())
	}
	log.InfoContext(ctx, "ready", "url", ui.URL(), "api", c.APIURL, "admin", "http://"+admin.Addr().String())
	return runAll(ctx, ui, admin)
}

// administratorOf asks the API whose token it is: these pages have no key to check it by.
func administratorOf(apiURL string) func(ctx context.Context, token string) error {
	return func(ctx context.Context, token string) error {
		client, err := api.New(apiURL, api.Options{Token: func(context.Context) (string, error) { return token, nil }})
		if err != nil {
			return err
		}
		who, err := client.Me(ctx)
		switch {
		case api.AsProblem(err) != nil:
			return errors.New("the API does not know the token")
		case err != nil:
			return errors.New("the API, which knows whose token it is, does not answer")
		case who.Role != string(ml.RoleAdmin):
			return errNotAdministrator
		}
		return nil
	}
}

// CheckUI asks the running web pages whether they are served.
func CheckUI(ctx context.Context, c UIConfig) error {
	return ask(ctx, "http://"+hostPort(reachable(c.Host), c.Port)+"/healthz")
}
