package apiserver

import (
	"context"
	"io"
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
	leave, err := s.largePlace(x, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer leave()
	ws := workspaces.Get().(*workspace)
	defer ws.giveBack()
	if ws.body, err = s.readInto(ws.body[:0], r); err != nil {
		s.refuse(w, r, err)
		return
	}
	if ws.features, err = s.predictRow(r.Context(), ws.body, v.Schema, ws.features); err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.opt.Predictor.Predict(r.Context(), ml.PredictionRequest{Who: x.who, Schema: v.Schema, Started: x.started}, ws.features)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	ws.answer = appendPrediction(ws.answer[:0], &p)
	w.Header()["Content-Type"] = jsonContent
	_, _ = w.Write(ws.answer) // an error says that the client has gone
}

// jsonContent is the content type of all answers of /predict; shared, so that none is allocated.
var jsonContent = []string{"application/json"}

// serving is the version that the request's body is for.
func (s *Server) serving(r *http.Request) (ml.Version, error) {
	v, ok := s.opt.Predictor.Current()
	if !ok {
		return v, ml.Errorf(ml.CodeUnavailable, "no model serves yet: the first one is being trained, or none was activated")
	}
	if t := r.Header["Content-Type"]; len(t) == 1 && t[0] == jsonContent[0] {
		return v, nil
	}
	return v, jsonType(r.Header.Get("Content-Type"))
}

// readInto reads a body of at most maxJSON bytes into dst, which grows as needed. The server's read
// timeout bounds how long it may take.
func (s *Server) readInto(dst []byte, r *http.Request) ([]byte, error) {
	if len(r.Header["Content-Encoding"]) > 0 {
		if err := identityEncoding(r.Header); err != nil {
			return dst, err
		}
	}
	if r.ContentLength > maxJSON {
		return dst, tooLarge(maxJSON)
	}
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Body.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > maxJSON:
			return dst, tooLarge(maxJSON)
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, unreadable(err)
		}
	}
}

// handlePredictBatch answers POST /predict/batch.
func (s *Server) handlePredictBatch(w http.ResponseWriter, r *http.Request) {
	x := w.(*exchange)
	v, err := s.serving(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	leave, err := s.largePlace(x, r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	defer leave()
	body, err := s.readBody(w, r, maxJSON)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
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
func (s *Server) predictRow(ctx context.Context, body []byte, schema ml.Schema, dst []float64) ([]float64, error) {
	done, err := s.decodeTurn(ctx, len(body))
	if err != nil {
		return nil, err
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
