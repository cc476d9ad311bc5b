package webui

import (
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"iacontinu/internal/api"
)

// predictData is what the page of predictions shows.
type predictData struct {
	Model  api.ModelInfo
	Recent []api.LoggedPrediction
	// LeftOut counts the predictions among those that were made by models of another kind.
	LeftOut int
	Listing listing

	Values     map[string]string // as typed, nil if nothing was sent
	Fresh      []string          // columns that the form did not have yet
	Gone       []string          // those that it had and the model has not
	Wrong      map[string]string // what is wrong with them, by feature
	FirstWrong string            // feature
	Answer     *api.PredictResponse
	Why        template.HTML      // it answers so
	Far        []api.Contribution // values that the model has not learned from

	Detail   api.ModelDetail
	Known    map[string]api.ModelFeature
	Boundary template.HTML
	Outside  int // predictions that it has no room for
	latest   []api.LoggedPrediction

	Batch      string // as pasted
	BatchWrong string
	Rows       []batchRow // the first answers
	Answered   int
}

type batchRow struct {
	Line     int
	Features []float64
	api.PredictResponse
}

const (
	recentPredictions = 15
	boundaryPoints    = 200
	shownRows         = 20
	maxBatchFile      = 4 << 20
)

func loadPredict(ctx context.Context, v *visit) (any, error) {
	d, ok := v.Data.(*predictData) // what the form left
	if !ok {
		d = &predictData{}
	}
	var history api.PredictionHistory
	err := together(ctx, ask(&d.Model, v.client.ModelInfo), ask(&history, func(ctx context.Context) (api.PredictionHistory, error) {
		return v.client.History(ctx, boundaryPoints+1)
	}))
	if err == nil {
		err = d.loadModel(ctx, v)
	}
	if err != nil {
		return nil, err
	}
	if err := d.listRecent(ctx, v, history); err != nil {
		return nil, err
	}
	d.compareColumns(d.Model.Features)
	d.Boundary = d.boundary(v)
	if d.Answer != nil && d.Answer.Explanation != nil {
		d.Why = v.reasons(d, d.Answer.Explanation)
		d.Far = slices.DeleteFunc(slices.Clone(d.Answer.Explanation.Contributions), func(c api.Contribution) bool { return !c.OutOfRange })
	}
	return d, nil
}

// Row is the features of a logged prediction, however they were kept.
func (d *predictData) Row(p api.LoggedPrediction) []float64 {
	if len(p.Features) > 0 {
		return p.Features
	}
	var out []float64
	for _, f := range []*float64{p.Feature1, p.Feature2} {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// Class is the value of the target that a label stands for.
func (d *predictData) Class(label int) string {
	if label >= 0 && label < len(d.Model.Classes) {
		return d.Model.Classes[label]
	}
	return strconv.Itoa(label)
}

// Sure says how far an answer can be relied on: not by its confidence where the model has to guess.
func (d *predictData) Sure(confidence float64) string {
	switch {
	case len(d.Far) > 0:
		return "guess"
	case confidence >= 0.8:
		return "very"
	case confidence >= 0.6:
		return "fairly"
	}
	return "hardly"
}

// predict answers the form for one row.
func (s *Server) predict(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	d := &predictData{Wrong: map[string]string{}}
	if r.ParseForm() == nil { // else it is too large, and all is to be typed again
		d.Values = typedIn(r.PostForm)
	}
	v.Data, v.Path = d, "/predict"
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	model, err := v.client.ModelInfo(ctx)
	if err != nil {
		s.answer(w, r, v, pageOf("predict"), s.fail(r, v, err))
		return
	}
	if d.compareColumns(model.Features) {
		if len(d.Fresh) > 0 {
			d.FirstWrong = d.Fresh[0]
		}
		s.answer(w, r, v, pageOf("predict"), http.StatusConflict)
		return
	}
	features := map[string]float64{}
	for _, name := range model.Features {
		switch features[name], err = v.readNumber(d.Values[name]); {
		case err == nil:
			continue
		case errors.Is(err, errUnclear):
			d.Wrong[name] = v.must("predict.unclear")
		default:
			d.Wrong[name] = v.must("predict.not_a_number")
		}
		d.FirstWrong = cmp.Or(d.FirstWrong, name)
	}
	if len(d.Wrong) > 0 {
		s.answer(w, r, v, pageOf("predict"), http.StatusUnprocessableEntity)
		return
	}
	status := http.StatusOK
	answer, err := v.client.PredictExplained(ctx, features)
	if err == nil {
		d.Answer = &answer
	} else {
		if s.toLogin(w, r, err) {
			return
		}
		status = s.fail(r, v, err)
	}
	s.answer(w, r, v, pageOf("predict"), status)
}

// predictBatch answers many rows, pasted or as a file, on the page or as a file.
func (s *Server) predictBatch(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBatchFile)
	d := &predictData{}
	v.Data, v.Path = d, "/predict"
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	text, err := batchText(r)
	if len(text) <= maxForm && utf8.ValidString(text) {
		d.Batch = text
	}
	var model api.ModelInfo
	var rows [][]float64
	if err == nil {
		model, err = v.client.ModelInfo(ctx)
	}
	if err == nil {
		rows, err = v.readRows(text, model.Features)
	}
	var answer api.BatchResponse
	if err == nil {
		answer, err = v.client.PredictBatch(ctx, rows)
	}
	if err != nil {
		s.refuseBatch(w, r, v, d, err)
		return
	}
	if r.PostFormValue("as") == "file" {
		writeAnswers(w, model, rows, answer)
		return
	}
	d.Answered = answer.Total
	for i, p := range answer.Predictions[:min(len(answer.Predictions), shownRows)] {
		d.Rows = append(d.Rows, batchRow{i + 1, rows[i], p})
	}
	s.answer(w, r, v, pageOf("predict"), http.StatusOK)
}

func (s *Server) refuseBatch(w http.ResponseWriter, r *http.Request, v *visit, d *predictData, err error) {
	var wrong unreadable
	var large *http.MaxBytesError
	status := http.StatusUnprocessableEntity
	switch {
	case errors.As(err, &wrong):
		d.BatchWrong = string(wrong)
	case errors.As(err, &large):
		d.BatchWrong, status = v.must("predict.file_too_large"), http.StatusRequestEntityTooLarge
	case s.toLogin(w, r, err):
		return
	default:
		status = s.fail(r, v, err)
	}
	s.answer(w, r, v, pageOf("predict"), status)
}

// batchText is the file of the form, or what was pasted if there is none.
func batchText(r *http.Request) (string, error) {
	if err := r.ParseMultipartForm(maxBatchFile); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return "", err
	}
	file, header, err := r.FormFile("file")
	if err != nil || header.Size == 0 {
		return r.PostFormValue("rows"), nil
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	return string(text), err
}

// writeAnswers gives the rows with their answers as a file.
func writeAnswers(w http.ResponseWriter, model api.ModelInfo, rows [][]float64, answer api.BatchResponse) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="predictions.csv"`)
	out := csv.NewWriter(w)
	head := append(slices.Clone(model.Features), model.Target, "confidence", "model_version", "prediction_id")
	for i, name := range head {
		head[i] = guarded(name)
	}
	_ = out.Write(head) // Flush tells
	for i, p := range answer.Predictions {
		var record []string
		for _, f := range rows[i] {
			record = append(record, strconv.FormatFloat(f, 'g', -1, 64))
		}
		_ = out.Write(append(record, guarded(p.Class), fmt.Sprintf("%.6f", p.Confidence), p.ModelVersion, p.PredictionID))
	}
	out.Flush() // an error is the browser's, which is gone
}

// guarded is a text for a cell, of which spreadsheets must not make a formula. A number is none.
func guarded(text string) string {
	first, _ := utf8.DecodeRuneInString(text)
	if numberForm.MatchString(text) || !strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return text
	}
	return "'" + text
}

// pageOf is the page of that name.
func pageOf(name string) page {
	for _, p := range pages {
		if p.name == name {
			return p
		}
	}
	panic("webui: no page " + name)
}
