// Command flow runs the periodic check: every 30 s it asks whether the model still fits, and has it retrained if not.
package main

import (
	"context"
	"log/slog"
	"os"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

func main() {
	var cfg service.FlowConfig
	os.Exit(boot.Program{
		Name:    "flow",
		Summary: "the periodic check: every 30 s it asks whether the model still fits, and has it retrained if not",
		Config:  &cfg,
		Log:     func() boot.LogConfig { return cfg.LogConfig },
		Run: func(ctx context.Context, log *slog.Logger) error {
			return service.RunFlow(ctx, cfg, log)
		},
		Healthcheck: func(ctx context.Context) error { return service.CheckAdmin(ctx, cfg.Admin, cfg.Port) },
	}.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
