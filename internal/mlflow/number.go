package mlflow

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// number is a float as MLflow's JSON writes it. JSON has no NaN and no infinities: they go there as words.
// NaN comes back as a word, and an infinity as the largest number, which no metric is otherwise.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(text []byte) error {
	word := string(text)
	if len(text) > 0 && text[0] == '"' {
		if err := json.Unmarshal(text, &word); err != nil {
			return err
		}
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		return fmt.Errorf("%s is not a number", text)
	}
	if math.Abs(v) == math.MaxFloat64 {
		v = math.Inf(int(math.Copysign(1, v)))
	}
	*n = number(v)
	return nil
}
