package webui

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
	"iacontinu/internal/synth"
)

// dataData is what the page of datasets shows.
type dataData struct {
	Sets    []dataset
	Listing listing
	Chosen  *api.DatasetDetail
	Gone    bool // the one asked for
	Classes []share
	Charts  []template.HTML
	Unshown int // features without a chart

	Preview  *previewed
	Imported *api.ImportResponse // with something to tell of
	Wrong    string              // what is wrong with the generation asked for
	Asked    url.Values          // that generation
}

// dataset is a line of the list.
type dataset struct {
	api.Dataset
	Shares []share
}

// share is how many rows a class has.
type share struct {
	Class string
	Rows  int
	Share float64
}

const (
	shownDatasets = 50
	shownFeatures = 12
)

func loadData(ctx context.Context, v *visit) (any, error) {
	d, ok := v.Data.(*dataData) // what the form left
	if !ok {
		d = &dataData{}
	}
	if done := v.query.Get("done"); v.or("data.done."+done, "") != "" {
		v.Done = v.must("data.done." + done)
	}
	if err := d.list(ctx, v); err != nil {
		return nil, err
	}
	id, err := strconv.ParseInt(v.query.Get("id"), 10, 64)
	switch {
	case err == nil:
	case len(d.Sets) > 0:
		id = d.Sets[0].GenerationID
	default:
		return d, nil
	}
	return d, d.choose(ctx, v, id)
}

// list asks for the part of the list that the address names. The API gives fewer than asked for where they are wide:
// whether there are older ones, only the next one tells then.
func (d *dataData) list(ctx context.Context, v *visit) error {
	list, err := v.client.DatasetsBefore(ctx, v.before(), shownDatasets+1)
	if err != nil {
		return err
	}
	all := list.Datasets
	most := min(len(all), shownDatasets)
	if most > 0 && most == len(all) && most < list.TotalDatasets {
		next, err := v.client.DatasetsBefore(ctx, all[most-1].GenerationID, 1)
		if err != nil {
			return err
		}
		all = append(all, next.Datasets...)
	}
	d.Listing = listing{Of: "datasets", Part: "data-list", Total: int64(list.TotalDatasets), None: v.must("data.none")}
	for _, set := range cut(v, &d.Listing, all, most, func(set api.Dataset) int64 { return set.GenerationID }) {
		d.Sets = append(d.Sets, dataset{set, sharesOf(set)})
	}
	return nil
}

// choose asks for one dataset in full. One that is gone is told and no error.
func (d *dataData) choose(ctx context.Context, v *visit, id int64) error {
	detail, err := v.client.Dataset(ctx, id)
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		d.Gone = true
		return nil
	}
	if err != nil {
		return err
	}
	d.Chosen, d.Classes = &detail, sharesOf(detail.Dataset)
	shown := detail.FeatureDetails[:min(len(detail.FeatureDetails), shownFeatures)]
	d.Unshown = len(detail.FeatureDetails) - len(shown)
	for i, f := range shown {
		d.Charts = append(d.Charts, v.featureChart(i, detail.Dataset, f))
	}
	return nil
}

func sharesOf(set api.Dataset) []share {
	total := 0
	for _, n := range set.ClassCounts {
		total += n
	}
	if total == 0 || len(set.Classes) != len(set.ClassCounts) {
		return nil
	}
	var out []share
	for i, n := range set.ClassCounts {
		out = append(out, share{set.Classes[i], n, float64(n) / float64(total)})
	}
	return out
}

// histogram is one in the reader's language.
func (v *visit) histogram(id, title string) chart.Histogram {
	return chart.Histogram{
		ID: id, Title: title, X: v.significant,
		Labels: chart.Labels{X: v.must("data.values"), Figures: v.must("chart.figures"), Empty: v.must("data.constant")},
	}
}

// featureChart shows where the values of a feature lie, for each class.
func (v *visit) featureChart(i int, set api.Dataset, f api.DatasetFeature) template.HTML {
	h := v.histogram(fmt.Sprintf("feature-%d", i), f.Name)
	h.Summary = v.must("data.feature_summary", v.significant(f.Min), v.significant(f.Max), v.significant(f.Mean), v.significant(f.Scale))
	h.Edges, h.Y = f.Edges, func(n float64) string { return v.number(0, n) }
	for class, counts := range f.Counts {
		name := strconv.Itoa(class)
		if class < len(set.Classes) {
			name = set.Classes[class]
		}
		h.Series = append(h.Series, chart.Counted{Name: set.Target + " = " + name, Counts: counts})
	}
	return h.HTML()
}

// Kinds of drift that rows can be generated with.
func (d *dataData) Kinds() []string { return []string{"hour", "none", "covariate", "concept", "label"} }

// generatePatience is what making rows may take more than any other answer.
const generatePatience = 30 * time.Second

// generate makes rows, which the page waits for.
func (s *Server) generate(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	in, wrong := v.generation(r)
	if wrong != "" {
		v.Data, v.Path = &dataData{Wrong: wrong, Asked: r.PostForm}, "/data"
		s.answer(w, r, v, pageOf("data"), http.StatusUnprocessableEntity)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience+generatePatience)
	defer cancel()
	made, err := v.client.Generate(ctx, in)
	if err != nil {
		s.refuse(w, r, v, "data", err)
		return
	}
	toDataset(w, r, made.GenerationID, "generated")
}

// generation reads what is asked for, or says what is wrong with it.
func (v *visit) generation(r *http.Request) (in api.GenerateRequest, wrong string) {
	samples, err := v.readNumber(r.PostFormValue("samples"))
	if text := strings.TrimSpace(r.PostFormValue("seed")); text != "" && err == nil {
		var seed uint64
		seed, err = strconv.ParseUint(text, 10, 53)
		in.Seed = &seed
	}
	switch {
	case err != nil || samples != math.Trunc(samples):
		return in, v.must("data.bad_generation")
	case samples < 1 || samples > synth.MaxSamples:
		return in, v.must("data.rows_at_once", synth.MaxSamples)
	}
	in.Samples = int(samples)
	if kind := r.PostFormValue("drift"); kind != "hour" {
		in.Drift = kind
	}
	return in, ""
}

func toDataset(w http.ResponseWriter, r *http.Request, id int64, done string) {
	http.Redirect(w, r, "/data?"+url.Values{"id": {strconv.FormatInt(id, 10)}, "done": {done}}.Encode(), http.StatusSeeOther)
}

func (s *Server) deleteDataset(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	id, err := strconv.ParseInt(r.PostFormValue("id"), 10, 64)
	if err != nil {
		s.notFound(w, r, v)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if err := v.client.DeleteDataset(ctx, id); err != nil {
		v.query = url.Values{"id": {strconv.FormatInt(id, 10)}}
		s.refuse(w, r, v, "data", err)
		return
	}
	http.Redirect(w, r, "/data?done=deleted", http.StatusSeeOther)
}
