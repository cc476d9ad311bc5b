package main

import (
	"fmt"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

// kumaProvision sets Uptime Kuma up, and says what that took.
func kumaProvision(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	var cfg service.KumaConfig
	if err := boot.Load(&cfg, c.environ); err != nil {
		return err
	}
	report, err := service.ProvisionKuma(c.ctx, cfg)
	for _, change := range report.Changes {
		fmt.Fprintln(c.out, change)
	}
	if err != nil {
		return err
	}
	if len(report.Changes) == 0 {
		fmt.Fprintln(c.out, "nothing to change")
	}
	fmt.Fprintf(c.out, "Uptime Kuma %s watches the platform; status page: %s\n", report.Version, report.PageURL)
	return nil
}
