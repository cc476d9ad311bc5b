package mlflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// delivery is one try to tell of a retraining.
type delivery struct {
	tracker *Tracker
	client  *Client
	told    ml.TrackedRun
	save    func(context.Context, json.RawMessage) error
	notes   notes

	artifact *logreg.Artifact // nil if there is none to tell of
	datasets []ml.Dataset
	leftOut  []string // what could not be told of, in words

	experiment string
	registry   *registry // nil if there is none
	ours       bool      // versions may be registered and aliases moved
	run        run
	// again tells that there was an earlier try, which may have made more than is noted.
	again bool
	// ended tells that the run was told to its end before this try.
	ended bool
	// ready tells that the model is whole.
	ready bool
}

func (d *delivery) deliver(ctx context.Context) error {
	if err := d.load(ctx); err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	if d.told.Version != nil {
		if err := d.openRegistry(ctx); err != nil {
			return err
		}
	}
	if d.notes.Version == "" {
		if err := d.fill(ctx); err != nil {
			return err
		}
	}
	if a := d.told.Aliases; a != nil && d.registry != nil && d.ours {
		if err := d.tracker.setAliases(ctx, *a, d.registry.aliases, d.told.Version.Name, d.notes.Version); err != nil {
			return err
		}
	}
	if d.ended {
		return nil
	}
	return d.end(ctx)
}

func (d *delivery) end(ctx context.Context) error {
	status := runFinished
	if d.told.Version == nil {
		status = runFailed
	}
	return d.client.endRun(ctx, d.run.Info.ID, status, millis(d.told.Ended))
}

func (d *delivery) openRegistry(ctx context.Context) (err error) {
	if d.registry, d.ours, err = d.tracker.registry(ctx); err != nil || !d.ours {
		return err
	}
	return d.tracker.claim(ctx, d.registry)
}

// load gets what there is to tell.
func (d *delivery) load(ctx context.Context) error {
	for _, id := range datasetIDs(d.told) {
		ds, err := d.tracker.options.Datasets.Dataset(ctx, id)
		switch {
		case err == nil:
			d.datasets = append(d.datasets, ds)
		case unavailable(err):
			d.leftOut = append(d.leftOut, fmt.Sprintf("dataset %d, which is not there any more", id))
		default:
			return fmt.Errorf("read dataset %d: %w", id, err)
		}
	}
	if d.told.Version == nil {
		return nil
	}
	a, err := d.tracker.options.Artifact(ctx, d.told.Version.Name)
	switch {
	case err == nil:
		d.artifact = a
	case unavailable(err):
		d.leftOut = append(d.leftOut, "the model, whose files are not there any more or can't be read")
	default:
		return fmt.Errorf("load %s: %w", d.told.Version.Name, err)
	}
	return nil
}

// note writes down what was made before anything else is made.
func (d *delivery) note(ctx context.Context) error {
	text, err := json.Marshal(d.notes)
	if err != nil {
		return err
	}
	if err := d.save(ctx, text); err != nil {
		return fmt.Errorf("save the notes: %w", err)
	}
	return nil
}

// open gets the run: the noted one, else one that an earlier try made, else a new one.
func (d *delivery) open(ctx context.Context) (err error) {
	if d.experiment, err = d.client.experiment(ctx, d.tracker.options.Experiment); err != nil {
		return err
	}
	if d.notes.RunID != "" {
		if there, err := d.reopen(ctx, d.notes.RunID); err != nil || there {
			return err
		}
		d.notes = notes{} // the run was lost with its server, or deleted: all is told anew
	}
	id, err := d.client.findRun(ctx, d.experiment, pair{tagRun, runKey(d.told)})
	if err != nil {
		return err
	}
	there := false
	if id != "" {
		if there, err = d.reopen(ctx, id); err != nil {
			return err
		}
	}
	if !there {
		if d.run, err = d.client.createRun(ctx, d.newRun()); err != nil {
			return err
		}
	}
	d.notes.RunID = d.run.Info.ID
	return d.note(ctx)
}

// reopen gets a run that an earlier try made, and says whether it is there.
func (d *delivery) reopen(ctx context.Context, id string) (there bool, err error) {
	d.again = true
	d.run, err = d.client.getRun(ctx, id)
	if hasCode(err, codeMissing) {
		return false, nil
	}
	there = err == nil && d.run.Info.Stage == "active"
	d.ended = there && d.run.ended()
	return there, err
}

// fill tells all of a run but its end. What doesn't wait for something else goes at once. Of a run that
// was told to its end only the registered version can be missing, unless its model is not whole.
func (d *delivery) fill(ctx context.Context) error {
	model, err := d.openModel(ctx)
	if err != nil {
		return err
	}
	switch whole := d.ended && (d.artifact == nil || d.ready); {
	case whole && model != nil:
		return d.register(ctx, *model)
	case whole:
		return nil
	}
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	g.Go(func() error { return d.client.logBatch(inner, d.batch()) })
	if inputs := d.inputs(); len(inputs) > 0 {
		g.Go(func() error { return d.client.logInputs(inner, d.run.Info.ID, inputs) })
	}
	for _, f := range d.files() {
		g.Go(func() error { return d.put(inner, d.run.Info.ArtifactURI, f) })
	}
	if model != nil {
		d.sendModel(inner, g, *model)
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if model == nil {
		return nil
	}
	return d.closeModel(ctx, *model)
}

// maker makes a file when its turn comes.
type maker func() (file, error)

// put makes a file and uploads it.
func (d *delivery) put(ctx context.Context, root string, draw maker) error {
	f, err := draw()
	if err != nil {
		return err
	}
	return d.client.upload(ctx, root, f)
}

// openModel gets the logged model, nil if there is none to tell of.
func (d *delivery) openModel(ctx context.Context) (*loggedModel, error) {
	if d.artifact == nil {
		return nil, nil
	}
	if d.again {
		there, err := d.client.findModel(ctx, d.experiment, d.run.Info.ID)
		if err != nil {
			return nil, err
		}
		if there != nil {
			d.notes.ModelID, d.ready = there.Info.ID, there.Info.Status == modelReady
			return there, nil // noted or not: it is found again
		}
	}
	m, err := d.client.createModel(ctx, newModel{
		Experiment: d.experiment, Name: modelName, Type: "classifier", Run: d.run.Info.ID,
		Params: d.params(), Tags: append(d.origin(), d.versionTags()...),
	})
	if err != nil {
		return nil, err
	}
	d.notes.ModelID = m.Info.ID
	return &m, d.note(ctx)
}

// sendModel uploads the model's files but for the last one, and links model and run.
func (d *delivery) sendModel(ctx context.Context, g *errgroup.Group, m loggedModel) {
	if !d.isOutput(m.Info.ID) {
		g.Go(func() error { return d.client.logOutput(ctx, d.run.Info.ID, m.Info.ID) })
	}
	for _, f := range modelFiles(d.artifact) {
		g.Go(func() error { return d.put(ctx, m.Info.ArtifactURI, f) })
	}
}

func (d *delivery) isOutput(model string) bool {
	for _, o := range d.run.Outputs.Models {
		if o.ID == model {
			return true
		}
	}
	return false
}

// closeModel completes the model and registers it. The file MLmodel comes last: who sees it finds all.
func (d *delivery) closeModel(ctx context.Context, m loggedModel) error {
	description := func() (file, error) { return d.mlmodel(m) }
	if err := d.put(ctx, m.Info.ArtifactURI, description); err != nil {
		return err
	}
	if err := d.client.endModel(ctx, m.Info.ID, modelReady); err != nil {
		return err
	}
	d.ready = true
	return d.register(ctx, m)
}

func (d *delivery) register(ctx context.Context, m loggedModel) (err error) {
	if !d.ours {
		return nil
	}
	name := d.tracker.options.Model
	if d.again {
		if d.notes.Version, err = d.client.findVersion(ctx, name, d.told.Version.Name); err != nil {
			return err
		}
	}
	if d.registry == nil {
		if err := d.client.createRegistered(ctx, name, d.tracker.options.Installation); err != nil {
			return err
		}
		d.registry = &registry{}
	}
	if d.notes.Version == "" {
		d.notes.Version, err = d.client.createVersion(ctx, newVersion{
			Name: name, Source: "models:/" + m.Info.ID, Model: m.Info.ID, Run: d.run.Info.ID,
			Description: d.summary() + "\n\n" + d.labels(), Tags: d.versionTags(),
		})
		if err != nil {
			return err
		}
	}
	return d.note(ctx)
}

// maxDoubts is a day of tries, half a minute apart. Tries are counted and not hours, for those in which
// nobody asked say nothing. A broken server is mended in that time, and what it is told a day late is as
// good; a request that it can't take ever holds up the next ones for no longer.
const maxDoubts = 24 * 60 * 2

// weigh makes a doubtful answer a refusal for good when nothing else was heard for maxDoubts tries. Of a run
// that was told to its end and that a comparison owes, once is enough: the next one owes again what it lacks.
func (d *delivery) weigh(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	doubts := 0
	if hasCode(err, codeDoubtful) {
		doubts = d.notes.Doubts + 1
	}
	compared := d.ended && d.told.Aliases == nil
	if doubts >= maxDoubts || doubts > 0 && compared {
		return lasting{err}
	}
	if doubts == d.notes.Doubts {
		return err
	}
	d.notes.Doubts = doubts
	return errors.Join(err, d.note(ctx))
}

// lasting is a doubtful answer that is believed.
type lasting struct{ error }

// Permanent reports that no later try can succeed.
func (lasting) Permanent() bool { return true }

// Unwrap returns the answer.
func (l lasting) Unwrap() error { return l.error }

// abandon closes what the server would take no more of, so that nothing there looks as if it were under
// way. It is the last word on this delivery: what fails now stays as it is.
func (d *delivery) abandon(ctx context.Context, why error) {
	d.tracker.options.Logger.WarnContext(ctx, "mlflow refuses a run for what it says", "run", runName(d.told), "error", why)
	if d.notes.ModelID != "" && !d.ready {
		_ = d.client.endModel(ctx, d.notes.ModelID, modelFailed)
	}
	if d.notes.RunID == "" || d.ended {
		return
	}
	_ = d.client.logBatch(ctx, batch{Run: d.notes.RunID, Tags: []pair{{tagLeftOut, truncate(why.Error(), 1000)}}})
	_ = d.end(ctx)
}
