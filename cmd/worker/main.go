// Command worker runs the durable jobs: training, messages, retention.
package main

import (
	"context"
	"log/slog"
	"os"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

func main() {
	var cfg service.WorkerConfig
	os.Exit(boot.Program{
		Name:    "worker",
		Summary: "the durable jobs: training, messages, retention",
		Config:  &cfg,
		Log:     func() boot.LogConfig { return cfg.LogConfig },
		Run: func(ctx context.Context, log *slog.Logger) error {
			return service.RunWorker(ctx, cfg, log)
		},
		Healthcheck: func(ctx context.Context) error { return service.CheckAdmin(ctx, cfg.Admin, cfg.Port) },
	}.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
