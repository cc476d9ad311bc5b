package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

// modelsData is what the page of versions shows.
type modelsData struct {
	Versions []modelVersion
	Listing  listing
	Active   *api.ModelDetail
	Other    *api.ModelDetail // held against the active one
	Figures  []figureRow
	Same     *sameRows
	Charts   []template.HTML
	Job      *api.Job
	Steps    []step
	JobGone  bool
	Sets     []api.Dataset // that a training can be of
	Unlisted bool          // there are older ones
	Asked    *api.Dataset  // of other columns, whose training waits for an answer
}

// modelVersion is a version of the list with its figures, nil for one of an earlier system.
type modelVersion struct {
	api.Version
	Quality *api.Quality
}

// figureRow is one figure of both versions.
type figureRow struct {
	Key           string
	Active, Other string
}

// sameRows are the accuracies of both versions on the rows by which the later one was judged.
type sameRows struct{ Active, Other float64 }

// onSameRows is nil if neither was judged against the other.
func onSameRows(active, other *api.ModelDetail) *sameRows {
	judged := func(m, against *api.ModelDetail) bool {
		return m.Champion == against.Version.Version && m.Training != nil && m.Training.AccuracyBefore != nil
	}
	switch {
	case active == nil || other == nil:
		return nil
	case judged(other, active):
		return &sameRows{Active: *other.Training.AccuracyBefore, Other: other.Training.AccuracyAfter}
	case judged(active, other):
		return &sameRows{Active: active.Training.AccuracyAfter, Other: *active.Training.AccuracyBefore}
	}
	return nil
}

// step is one step of a retraining.
type step struct{ Name, State string }

const shownVersions = 50

func loadModels(ctx context.Context, v *visit) (any, error) {
	var d modelsData
	err := together(ctx,
		func(ctx context.Context) error { return d.loadVersions(ctx, v) },
		func(ctx context.Context) error { return d.loadJob(ctx, v) },
		func(ctx context.Context) error { return d.loadAsked(ctx, v) },
		func(ctx context.Context) error {
			list, err := v.client.Datasets(ctx, shownDatasets)
			d.Sets, d.Unlisted = list.Datasets, list.TotalDatasets > len(list.Datasets)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	d.compare(v)
	if done := v.query.Get("done"); v.or("models.done."+done, "") != "" {
		v.Done = v.must("models.done." + done)
	}
	return d, nil
}

// loadVersions asks for the part of the list that the address names, and for the two versions that are held against
// each other, which may be no part of it.
func (d *modelsData) loadVersions(ctx context.Context, v *visit) error {
	var list, newest api.VersionList
	var serves api.ModelInfo
	err := together(ctx,
		ask(&list, func(ctx context.Context) (api.VersionList, error) {
			return v.client.ModelsBefore(ctx, v.before(), shownVersions+1)
		}),
		ask(&newest, func(ctx context.Context) (api.VersionList, error) { return v.client.Models(ctx, 2) }),
		ask(&serves, v.client.ModelInfo),
	)
	if err != nil {
		return err
	}
	d.Listing = listing{Of: "versions", Part: "models-list", Total: list.Total, None: v.must("models.none")}
	for _, version := range cut(v, &d.Listing, list.Models, shownVersions, func(m api.Version) int64 { return m.ID }) {
		m := modelVersion{Version: version}
		_ = json.Unmarshal(version.Metrics, &m.Quality) // what is missing is not shown
		d.Versions = append(d.Versions, m)
	}
	active, other := compared(serves, newest.Models, v.query.Get("compare"))
	return together(ctx,
		func(ctx context.Context) (err error) { d.Active, err = v.detail(ctx, active); return err },
		func(ctx context.Context) (err error) { d.Other, err = v.detail(ctx, other); return err },
	)
}

// compared are the version that serves and the one to hold against it: the one asked for, else the newest other.
func compared(serves api.ModelInfo, newest []api.Version, asked string) (active, other string) {
	if serves.ModelVersion != nil {
		active = *serves.ModelVersion
	}
	for _, m := range newest {
		if asked == "" && m.Version != active {
			asked = m.Version
		}
	}
	if asked == active {
		return active, ""
	}
	return active, asked
}

// detail asks for a version in full, nil without a name or if it was deleted meanwhile.
func (v *visit) detail(ctx context.Context, version string) (*api.ModelDetail, error) {
	if version == "" {
		return nil, nil
	}
	found, err := v.client.Model(ctx, version)
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &found, nil
}

func (d *modelsData) compare(v *visit) {
	if d.Active == nil {
		return
	}
	d.Same = onSameRows(d.Active, d.Other)
	share := func(x float64) string { return v.percent(1, x) }
	row := func(key string, of func(*api.Quality) *float64, write func(float64) string) {
		figure := func(m *api.ModelDetail) string {
			if m == nil || m.Quality == nil || of(m.Quality) == nil {
				return "–"
			}
			return write(*of(m.Quality))
		}
		d.Figures = append(d.Figures, figureRow{key, figure(d.Active), figure(d.Other)})
	}
	row("precision", func(q *api.Quality) *float64 { return &q.Precision }, share)
	row("recall", func(q *api.Quality) *float64 { return &q.Recall }, share)
	row("f1", func(q *api.Quality) *float64 { return &q.F1 }, share)
	row("roc_auc", func(q *api.Quality) *float64 { return q.ROCAUC }, func(x float64) string { return v.number(3, x) })
	row("log_loss", func(q *api.Quality) *float64 { return &q.LogLoss }, v.significant)
	d.Charts = []template.HTML{v.rocChart(d.Active, d.Other), v.calibrationChart(d.Active, d.Other)}
}

func (v *visit) shareChart(id string) chart.Line {
	zero, one := 0.0, 1.0
	share := func(x float64) string { return v.percent(0, x) }
	return chart.Line{
		ID: id, Title: v.must("models." + id), Summary: v.must("models." + id + "_summary"), Height: 220, Low: &zero, High: &one, From: &zero, To: &one, X: share, Y: share,
		Labels: chart.Labels{X: v.must("models." + id + "_x"), Figures: v.must("chart.figures"), Empty: v.must("models.no_curve")},
	}
}

// both are those of the two versions that are there and have figures.
func both(active, other *api.ModelDetail) []*api.ModelDetail {
	return slices.DeleteFunc([]*api.ModelDetail{active, other}, func(m *api.ModelDetail) bool { return m == nil || m.Quality == nil })
}

func (v *visit) rocChart(active, other *api.ModelDetail) template.HTML {
	l := v.shareChart("roc")
	for _, m := range both(active, other) {
		s := chart.Series{Name: m.Version.Version}
		if roc := m.Quality.ROC; roc != nil && len(roc.FPR) == len(roc.TPR) {
			for i := range roc.FPR {
				s.Points = append(s.Points, chart.Point{X: roc.FPR[i], Y: roc.TPR[i]})
			}
		}
		l.Series = append(l.Series, s)
	}
	return l.HTML()
}

func (v *visit) calibrationChart(active, other *api.ModelDetail) template.HTML {
	l := v.shareChart("calibration")
	for _, m := range both(active, other) {
		s := chart.Series{Name: m.Version.Version}
		for _, bin := range m.Quality.Calibration {
			if bin.Count > 0 {
				s.Points = append(s.Points, chart.Point{X: bin.MeanPredicted, Y: bin.FractionPositive})
			}
		}
		l.Series = append(l.Series, s)
	}
	l.Series = append(l.Series, chart.Series{Name: v.must("models.ideal"), Class: "ideal", Points: []chart.Point{{X: 0, Y: 0}, {X: 1, Y: 1}}})
	return l.HTML()
}

// steps of a retraining, in their order.
var steps = []string{"data", "split", "train", "evaluate", "gate", "save", "activate"}

// loadJob asks for the retraining that the address names.
func (d *modelsData) loadJob(ctx context.Context, v *visit) (err error) {
	if d.Job, d.JobGone, err = v.job(ctx); d.Job != nil {
		d.Steps = stepsOf(*d.Job)
	}
	return err
}

// job asks for the job that the address names. One that is gone is told and no error.
func (v *visit) job(ctx context.Context) (job *api.Job, gone bool, err error) {
	id, err := strconv.ParseInt(v.query.Get("job"), 10, 64)
	if err != nil {
		return nil, false, nil //nolint:nilerror // no number, no job
	}
	found, err := v.client.Job(ctx, id)
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		return nil, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	return &found, false, nil
}

func stepsOf(job api.Job) []step {
	at := slices.Index(steps, job.Step)
	var out []step
	for i, name := range steps {
		state := "waiting"
		switch {
		case name == "activate" && job.Result != nil && job.Result.Verdict == "rejected":
			state = "left_out"
		case job.State == "succeeded" || i < at:
			state = "done"
		case i == at && (job.State == "failed" || job.State == "cancelled"):
			state = "failed"
		case i == at:
			state = "running"
		}
		out = append(out, step{name, state})
	}
	return out
}

// otherColumns is a dataset that the model that serves could not have been trained on, nil if it could. A version of
// such a one is compared with nothing and serves at once.
func (v *visit) otherColumns(ctx context.Context, dataset int64) (*api.Dataset, error) {
	var set api.DatasetDetail
	var serves api.ModelInfo
	err := together(ctx,
		ask(&set, func(ctx context.Context) (api.DatasetDetail, error) { return v.client.Dataset(ctx, dataset) }),
		ask(&serves, v.client.ModelInfo),
	)
	if err != nil || !serves.ModelLoaded ||
		slices.Equal(set.Features, serves.Features) && set.Target == serves.Target && slices.Equal(set.Classes, serves.Classes) {
		return nil, err
	}
	return &set.Dataset, nil
}

// loadAsked finds the dataset that the address asks about.
func (d *modelsData) loadAsked(ctx context.Context, v *visit) (err error) {
	id, _ := strconv.ParseInt(v.query.Get("train"), 10, 64) // no number: none
	if id <= 0 {
		return nil
	}
	d.Asked, err = v.otherColumns(ctx, id)
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		return nil
	}
	return err
}

// retrain trains on a dataset, or on the newest rows if none is named.
func (s *Server) retrain(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	dataset, _ := strconv.ParseInt(r.PostFormValue("dataset"), 10, 64) // 0, as none is
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if dataset != 0 && r.PostFormValue("sure") == "" {
		if set, err := v.otherColumns(ctx, dataset); err == nil && set != nil { // else the API has the say
			http.Redirect(w, r, fmt.Sprintf("/models?train=%d", dataset), http.StatusSeeOther)
			return
		}
	}
	reply, err := v.client.Retrain(ctx, api.RetrainRequest{DatasetID: dataset}, false)
	switch {
	case err != nil:
		s.refuse(w, r, v, "models", err)
	case reply.Job != nil:
		http.Redirect(w, r, fmt.Sprintf("/models?job=%d", reply.Job.ID), http.StatusSeeOther)
	default:
		http.Redirect(w, r, fmt.Sprintf("/models?job=%d", reply.Done.JobID), http.StatusSeeOther)
	}
}

func (s *Server) retrainConditional(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	threshold, err := v.readNumber(r.PostFormValue("threshold"))
	if err != nil || !(threshold >= 0 && threshold <= 100) {
		v.Fault = &fault{Title: v.must("fault.invalid"), Text: v.must("models.bad_threshold")}
		s.answer(w, r, v, pageOf("models"), http.StatusUnprocessableEntity)
		return
	}
	threshold /= 100
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	answer, err := v.client.RetrainConditional(ctx, api.ConditionalRequest{AccuracyThreshold: &threshold, ForceRetrain: r.PostFormValue("force") != ""}, false)
	switch {
	case err != nil:
		s.refuse(w, r, v, "models", err)
	case answer.RetrainTriggered:
		http.Redirect(w, r, fmt.Sprintf("/models?job=%d", answer.JobID), http.StatusSeeOther)
	default:
		http.Redirect(w, r, "/models?done=not_needed", http.StatusSeeOther)
	}
}

func (s *Server) activate(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	s.serveOther(w, r, v, "activated", func(ctx context.Context) (api.Version, error) {
		return v.client.Activate(ctx, r.PostFormValue("version"))
	})
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request, v *visit) {
	s.serveOther(w, r, v, "rolled_back", v.client.Rollback)
}

// serveOther has another version serve and tells so.
func (s *Server) serveOther(w http.ResponseWriter, r *http.Request, v *visit, done string, do func(context.Context) (api.Version, error)) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*s.opt.Patience) // the API waits until it serves
	defer cancel()
	if _, err := do(ctx); err != nil {
		s.refuse(w, r, v, "models", err)
		return
	}
	http.Redirect(w, r, "/models?"+url.Values{"done": {done}}.Encode(), http.StatusSeeOther)
}
