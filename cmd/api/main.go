// Command api runs the REST API: predictions, datasets, retraining, accounts.
package main

import (
	"context"
	"log/slog"
	"os"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

func main() {
	var cfg service.APIConfig
	os.Exit(boot.Program{
		Name:    "api",
		Summary: "the REST API: predictions, datasets, retraining, accounts",
		Config:  &cfg,
		Log:     func() boot.LogConfig { return cfg.LogConfig },
		Run: func(ctx context.Context, log *slog.Logger) error {
			return service.RunAPI(ctx, cfg, log)
		},
		Healthcheck: func(ctx context.Context) error { return service.CheckAPI(ctx, cfg) },
	}.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
