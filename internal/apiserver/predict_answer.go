package apiserver

import (
	"encoding/json"
	"math"
	"strconv"
	"time"

	"iacontinu/internal/ml"
)

// appendPrediction appends the answer of /predict, as encoding/json writes an api.PredictResponse.
func appendPrediction(b []byte, p *ml.Prediction) []byte {
	b = append(b, `{"prediction":`...)
	b = strconv.AppendInt(b, int64(p.Label), 10)
	b = append(b, `,"class":`...)
	b = appendText(b, p.Class)
	b = append(b, `,"model_version":`...)
	b = appendText(b, p.ModelVersion)
	b = append(b, `,"confidence":`...)
	b = appendFloat(b, p.Confidence)
	b = append(b, `,"timestamp":"`...)
	b = stamp(p.CreatedAt).AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","prediction_id":`...)
	b = appendText(b, p.ID)
	return append(b, "}\n"...)
}

// appendFloat appends a finite number between 1e-6 and 1e21, or 0, as encoding/json does.
func appendFloat(b []byte, v float64) []byte {
	if math.Abs(v) < 1e-6 && v != 0 {
		return strconv.AppendFloat(b, v, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, v, 'f', -1, 64)
}

// appendText appends a JSON string; names of versions and classes rarely need any escape.
func appendText(b []byte, s string) []byte {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string: cannot fail
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
