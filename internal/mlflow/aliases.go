package mlflow

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/ml"
)

// named are an alias and the version that is to have it, empty for none.
type named struct{ alias, version string }

func byAlias(a ml.Aliases) []named {
	return []named{{"champion", a.Champion}, {"challenger", a.Challenger}, {"previous", a.Previous}}
}

// SetAliases makes the aliases there those here. One that is right is not touched; one whose version is
// not registered is taken away, for it stands on a wrong one.
func (t *Tracker) SetAliases(ctx context.Context, a ml.Aliases) error {
	if err := t.setAliases(ctx, a, "", ""); err != nil {
		return fmt.Errorf("set the aliases: %w", err)
	}
	return nil
}

// setAliases needs not look for a version whose number is known.
func (t *Tracker) setAliases(ctx context.Context, a ml.Aliases, known, number string) error {
	there, err := t.client.aliases(ctx, t.options.Model)
	if err != nil || there == nil {
		return err // without a registered model there is nothing to name
	}
	g, inner := errgroup.WithContext(ctx)
	for _, want := range byAlias(a) {
		g.Go(func() error {
			n := ""
			if want.version == known {
				n = number
			}
			return t.setAlias(inner, want, n, there[want.alias])
		})
	}
	return g.Wait()
}

// setAlias moves one alias from the version numbered there to the wanted one, whose number may be known.
func (t *Tracker) setAlias(ctx context.Context, want named, number, there string) (err error) {
	if number == "" && want.version != "" {
		if number, err = t.client.findVersion(ctx, t.options.Model, want.version); err != nil {
			return err
		}
		if number == "" {
			t.options.Logger.WarnContext(ctx, "a version is not registered and gets no alias", "version", want.version, "alias", want.alias)
		}
	}
	switch number {
	case there:
		return nil
	case "":
		return t.client.deleteAlias(ctx, t.options.Model, want.alias)
	}
	return t.client.setAlias(ctx, t.options.Model, want.alias, number)
}
