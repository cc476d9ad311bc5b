package apiserver

import (
	"context"
	"net/http"
	"sync"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// workspace holds the buffers of one request to /predict, the route that is asked thousands of times
// a second.
type workspace struct {
	body, answer []byte
	features     []float64
}

var workspaces = sync.Pool{New: func() any {
	return &workspace{body: make([]byte, 0, 512), answer: make([]byte, 0, 512), features: make([]float64, 0, 32)}
}}

// maxKept bounds the buffers that are kept for the next request, in bytes and in features.
const maxKept = 64 << 10

func (ws *workspace) giveBack() {
	if cap(ws.body) <= maxKept && cap(ws.features) <= maxKept {
		workspaces.Put(ws)
	}
}

// handlePredict answers POST /predict.
func (s *Server) handlePredict(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	v, err := s.serving(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	ws := workspaces.Get().(*workspace)
	defer ws.giveBack()
	var leave func() // the server's read timeout bounds how long the body may take
	if ws.body, leave, err = s.readInto(ws.body[:0], x, r); err != nil {
		s.refuse(w, r, err)
		return
	}
	defer leave()
	var explain bool
	if ws.features, explain, err = s.predictRow(r.Context(), ws.body, v.Schema, ws.features); err != nil {
		s.fail(w, r, err)
		return
	}
	req := ml.PredictionRequest{Who: x.who, Schema: v.Schema, Started: x.started}
	if explain {
		s.answerExplained(w, r, req, ws.features)
		return
	}
	p, err := s.opt.Predictor.Predict(r.Context(), req, ws.features)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ws.answer = appendPrediction(ws.answer[:0], &p)
	w.Header()["Content-Type"] = jsonContent
	_, _ = w.Write(ws.answer) // an error says that the client has gone
}

// answerExplained answers POST /predict of those who ask for the reasons too.
func (s *Server) answerExplained(w http.ResponseWriter, r *http.Request, req ml.PredictionRequest, features []float64) {
	p, why, err := s.opt.Predictor.PredictExplained(r.Context(), req, features)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := predictionOf(p)
	out.Explanation = s.explanationOf(r.Context(), p, req.Schema, why)
	s.writeJSON(w, r, http.StatusOK, jsonContent[0], out)
}

// jsonContent is the content type of all answers of /predict; shared, so that none is allocated.
var jsonContent = []string{"application/json"}

// serving is the version that the request's body is for.
func (s *Server) serving(r *http.Request) (ml.Version, error) {
	v, ok := s.opt.Predictor.Current()
	if !ok {
		return v, ml.Errorf(ml.CodeUnavailable, "no model serves yet: the first one is being trained, or none was activated").Says("error.no_model", nil)
	}
	if t := r.Header["Content-Type"]; len(t) == 1 && t[0] == jsonContent[0] {
		return v, nil
	}
	return v, jsonType(r.Header.Get("Content-Type"))
}

// handlePredictBatch answers POST /predict/batch.
func (s *Server) handlePredictBatch(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	v, err := s.serving(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	var body []byte
	var leave func()
	err = inTime(w, func() (err error) {
		body, leave, err = s.readInto(nil, x, r)
		return err
	})
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer leave()
	rows, err := s.batchRows(r.Context(), body, v.Schema)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ps, err := s.opt.Predictor.PredictBatch(r.Context(), ml.PredictionRequest{Who: x.who, Schema: v.Schema, Started: x.started}, rows)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	out := api.BatchResponse{Predictions: make([]api.PredictResponse, len(ps)), Total: len(ps)}
	for i, p := range ps {
		out.Predictions[i] = predictionOf(p)
	}
	s.writeJSON(w, r, http.StatusOK, jsonContent[0], out)
}

// predictRow is parsePredict in turn.
func (s *Server) predictRow(ctx context.Context, body []byte, schema ml.Schema, dst []float64) (row []float64, explain bool, err error) {
	done, err := s.decodeTurn(ctx, len(body))
	if err != nil {
		return nil, false, err
	}
	defer done()
	return parsePredict(body, schema, dst)
}

// batchRows is parseBatch in turn.
func (s *Server) batchRows(ctx context.Context, body []byte, schema ml.Schema) ([][]float64, error) {
	done, err := s.decodeTurn(ctx, len(body))
	if err != nil {
		return nil, err
	}
	defer done()
	return parseBatch(body, schema)
}

func predictionOf(p ml.Prediction) api.PredictResponse {
	return api.PredictResponse{
		Prediction: p.Label, Class: p.Class, ModelVersion: p.ModelVersion,
		Confidence: p.Confidence, Timestamp: stamp(p.CreatedAt), PredictionID: p.ID,
	}
}
