package main

import (
	"fmt"
	"text/tabwriter"

	"iacontinu/cmd/internal/service"
	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// modelList prints the versions, newest first.
func modelList(c *call, args []string) error {
	limit := c.flags.Int("limit", 20, "how many at the most")
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	return c.onExisting(func(p *service.Platform) error {
		versions, _, err := p.Store.Versions(c.ctx, *limit)
		if err != nil {
			return err
		}
		if len(versions) == 0 {
			fmt.Fprintln(c.out, "no version yet: `iacontinu up` trains a first one")
			return nil
		}
		w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "\tVERSION\tSTATUS\tACCURACY\tROWS\tFEATURES\tREASON\tCREATED")
		for _, v := range versions {
			mark := ""
			if v.Active {
				mark = "*"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%.4f\t%d\t%d\t%s\t%s\n", mark, v.Name, v.Status, v.Accuracy, v.TrainingSamples,
				len(v.Schema.Features), v.Reason, v.CreatedAt.UTC().Format("2006-01-02 15:04:05"))
		}
		return w.Flush()
	})
}

// modelActivate makes a version serve. Running processes follow within a moment.
func modelActivate(c *call, args []string) error {
	names, err := c.parse(args, 1, 1)
	if err != nil {
		return err
	}
	return c.swap("activate", func(p *service.Platform) (ml.Version, error) {
		return p.Activate(c.ctx, names[0], "cli")
	})
}

// modelRollback makes the version before the active one serve.
func modelRollback(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	return c.swap("rollback", func(p *service.Platform) (ml.Version, error) {
		return p.Rollback(c.ctx, "cli")
	})
}

// swap has a version activated and shows what that means for who asks it.
func (c *call) swap(event string, activate func(*service.Platform) (ml.Version, error)) error {
	return c.onExisting(func(p *service.Platform) error {
		before, err := p.Store.Active(c.ctx)
		if err != nil && ml.CodeOf(err) != ml.CodeNotFound {
			return err
		}
		v, err := activate(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "%s is active (accuracy %.4f)\n", v.Name, v.Accuracy)
		if change, ok := wording.Joined(wording.In("en"), service.SchemaChange(before, v)); ok {
			fmt.Fprintf(c.out, "  %s\n", change)
		}
		return p.Audit(c.ctx, event, "activated version "+v.Name, map[string]any{"model_version": v.Name})
	})
}
