package mlflow

import (
	"context"
	"fmt"
	"slices"

	"iacontinu/internal/ml"
)

// Differences are what there is other than here.
type Differences struct {
	// Missing are the versions that are kept here and not registered there, oldest first: the order in
	// which their runs are owed.
	Missing []ml.Version
	// Aliases that stand elsewhere: SetAliases mends them, after the missing versions.
	Aliases []AliasDifference
	// Foreign are versions there that are not kept here: retired ones, and those that somebody else
	// registered, by number. They are only told.
	Foreign []string
}

// AliasDifference is an alias and the version that has it here and there, empty for none. A version
// there that is not ours is told by its number.
type AliasDifference struct {
	Alias, Here, There string
}

// Mendable reports whether there is something to mend.
func (d Differences) Mendable() bool { return len(d.Missing) > 0 || len(d.Aliases) > 0 }

// Reconcile compares the versions that are kept here, newest first, and the aliases with those there. It
// changes nothing. A registered model that is another installation's is told, and not compared.
func (t *Tracker) Reconcile(ctx context.Context, versions []ml.Version, aliases ml.Aliases) (Differences, error) {
	model, ours, err := t.registry(ctx)
	if err != nil {
		return Differences{}, fmt.Errorf("reconcile: %w", err)
	}
	if !ours {
		return Differences{}, nil
	}
	if model == nil {
		return compare(versions, aliases, nil, nil), nil
	}
	there, err := t.client.versions(ctx, t.options.Model)
	if err != nil {
		return Differences{}, fmt.Errorf("reconcile: %w", err)
	}
	return compare(versions, aliases, there, model.aliases), nil
}

func compare(versions []ml.Version, aliases ml.Aliases, there []registeredVersion, numbers map[string]string) Differences {
	var d Differences
	here, registered, names := make(map[string]bool), make(map[string]bool), make(map[string]string)
	for _, v := range versions {
		here[v.Name] = true
	}
	for _, r := range there {
		name := r.name()
		registered[name] = true
		names[r.Number] = name
		if name == "" {
			names[r.Number] = "number " + r.Number
		}
		if !here[name] {
			d.Foreign = append(d.Foreign, names[r.Number])
		}
	}
	for _, v := range slices.Backward(versions) {
		if !registered[v.Name] {
			d.Missing = append(d.Missing, v)
		}
	}
	for _, want := range byAlias(aliases) {
		if has := names[numbers[want.alias]]; has != want.version {
			d.Aliases = append(d.Aliases, AliasDifference{want.alias, want.version, has})
		}
	}
	return d
}
