package mlflow

import (
	"context"
	"errors"
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
	there, ours, err := t.registry(ctx)
	if err == nil && ours && there != nil { // without a registered model there is nothing to name
		err = errors.Join(t.claim(ctx, there), t.setAliases(ctx, a, there.aliases, "", ""))
	}
	if err != nil {
		return fmt.Errorf("set the aliases: %w", err)
	}
	return nil
}

// registry gets the registered model, nil if there is none. If it is another installation's, that is told,
// and nothing of it must be changed: which version serves there is no business of ours.
func (t *Tracker) registry(ctx context.Context) (there *registry, ours bool, err error) {
	there, err = t.client.registry(ctx, t.options.Model)
	if err != nil || there == nil || there.owner == "" || there.owner == t.options.Installation {
		return there, err == nil, err
	}
	t.options.Logger.WarnContext(ctx, "the registered model in mlflow is another installation's: its versions and aliases stay as they are",
		"model", t.options.Model, "belongs_to", there.owner, "installation", t.options.Installation,
		"do", "set MLFLOW_MODEL_NAME to a name of its own, or, to take the model over, delete its tag "+tagInstallation+" in MLflow")
	return there, false, nil
}

// claim marks a registered model that is nobody's as ours.
func (t *Tracker) claim(ctx context.Context, there *registry) error {
	if there == nil || there.owner != "" {
		return nil
	}
	return t.client.tagRegistered(ctx, t.options.Model, pair{tagInstallation, t.options.Installation})
}

// setAliases needs not look for a version whose number is known.
func (t *Tracker) setAliases(ctx context.Context, a ml.Aliases, there map[string]string, known, number string) error {
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
