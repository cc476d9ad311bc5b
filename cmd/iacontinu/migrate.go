package main

import (
	"fmt"
	"text/tabwriter"

	"iacontinu/cmd/internal/service"
	"iacontinu/internal/store"
)

// migrateUp brings the database to the present schema, as every start does.
func migrateUp(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	return c.onFolder(func(p *service.Platform) error {
		switch m := p.Store.Migration(); {
		case m.From == m.To:
			fmt.Fprintf(c.out, "%s: nothing to do, the schema is at version %d\n", c.folder.Database, m.To)
		case m.Legacy != nil:
			fmt.Fprintf(c.out, "%s: a file of the earlier system, now at version %d of the schema\n", c.folder.Database, m.To)
			fmt.Fprintf(c.out, "  taken over: %d users, %d datasets of %d rows, %d predictions, %d trainings, %d checks\n", m.Legacy["users"],
				m.Legacy["datasets"], m.Legacy["dataset_samples"], m.Legacy["prediction_logs"], m.Legacy["model_training_logs"], m.Legacy["drift_detections"])
		case m.From == 0:
			fmt.Fprintf(c.out, "%s: at version %d of the schema\n", c.folder.Database, m.To)
		default:
			fmt.Fprintf(c.out, "%s: from version %d of the schema to version %d\n", c.folder.Database, m.From, m.To)
		}
		return nil
	})
}

// migrateDown takes steps of the schema back.
func migrateDown(c *call, args []string) error {
	to := c.flags.Int64("to", 0, "version to go back to, 1 or more; left out, the one before the present one")
	force := c.flags.Bool("force", false, "lose what rows have in the columns and tables that go")
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	if err := c.hasDatabase(); err != nil {
		return err
	}
	from, now, err := service.MigrateDown(c.ctx, c.folder, *to, *force)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%s: from version %d of the schema back to version %d\n", c.folder.Database, from, now)
	fmt.Fprintln(c.out, "a start of this release takes its steps again: start the release that you go back to")
	return nil
}

// migrateStatus lists the steps of the schema.
func migrateStatus(c *call, args []string) error {
	if _, err := c.parse(args, 0, 0); err != nil {
		return err
	}
	if err := c.hasDatabase(); err != nil {
		return err
	}
	steps, err := store.Steps(c.ctx, string(c.folder.Database))
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "VERSION\tSTEP\tTAKEN")
	for _, s := range steps {
		name, taken := s.Name, "not yet: migrate up, or a start, takes it"
		if name == "" {
			name = "of a newer release"
		}
		if !s.Taken.IsZero() {
			taken = s.Taken.UTC().Format("2006-01-02 15:04:05")
		}
		fmt.Fprintf(w, "%d\t%s\t%s\n", s.Version, name, taken)
	}
	return w.Flush()
}
