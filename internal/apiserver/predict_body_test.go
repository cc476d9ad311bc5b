package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

func TestParsePredict(t *testing.T) {
	t.Parallel()
	schema := ml.Schema{Features: []string{"a", "b"}, Target: "y", Classes: [2]string{"0", "1"}}
	for _, tt := range []struct {
		name, body string
		want       []float64
	}{
		{"plain", `{"features":[0.5,-0.25]}`, []float64{0.5, -0.25}},
		{"white space", " {\n\t\"features\" : [ 1 , 2e1 ] }\r\n", []float64{1, 20}},
		{"numeric strings", `{"features":["1.5"," -2 "]}`, []float64{1.5, -2}},
		{"by name, other order", `{"features":{"b":2,"a":"1"}}`, []float64{1, 2}},
		{"unknown fields are ignored", `{"model":"x","features":[1,2],"more":{"features":[3]}}`, []float64{1, 2}},
		{"unknown names are ignored", `{"features":{"a":1,"b":2,"c":3}}`, []float64{1, 2}},
		{"escaped key", `{"\u0066eatures":[1,2]}`, []float64{1, 2}},
		{"the last of two wins", `{"features":[9,9],"features":[1,2]}`, []float64{1, 2}},
		{"smallest and largest", `{"features":[5e-324,-1.7976931348623157e308]}`, []float64{5e-324, -math.MaxFloat64}},
		{"below the smallest is zero", `{"features":[1e-400,-0]}`, []float64{0, math.Copysign(0, -1)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := parsePredict([]byte(tt.body), schema, nil)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Fatalf("parsePredict(%s) = %v, %v; want %v", tt.body, got, err, tt.want)
			}
		})
	}
}

func TestParsePredictNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	schema := ml.Schema{Features: []string{"a", "b"}, Target: "y", Classes: [2]string{"0", "1"}}
	for _, tt := range []struct {
		name, body string
		locations  []string
		message    string // part of the first message
	}{
		{"empty", ``, []string{"body"}, "is empty"},
		{"cut off", `{"features":[1,2`, []string{"body"}, "is not JSON"},
		{"trailing", `{"features":[1,2]}]`, []string{"body"}, "is not JSON"},
		{"a list", `[1,2]`, []string{"body"}, "must be a JSON object"},
		{"null", `null`, []string{"body.features"}, "is required"},
		{"no features", `{"feature":[1,2]}`, []string{"body.features"}, "is required"},
		{"features a word", `{"features":"1,2"}`, []string{"body.features"}, "must be a list"},
		{"too few", `{"features":[1]}`, []string{"body.features"}, "must hold 2 numbers (a, b), holds 1"},
		{"too many", `{"features":[1,2,3]}`, []string{"body.features"}, "holds 3"},
		{"too many, and no numbers", `{"features":["x","y","z"]}`, []string{"body.features"}, "holds 3"},
		{"NaN", `{"features":[NaN,1]}`, []string{"body"}, "is not JSON"},
		{"NaN as text and a word", `{"features":["NaN","abc"]}`, []string{"body.features[0]", "body.features[1]"}, "finite number"},
		{"infinity as text", `{"features":["inf","-Infinity"]}`, []string{"body.features[0]", "body.features[1]"}, "finite number"},
		{"beyond float64", `{"features":[1e400,-1e400]}`, []string{"body.features[0]", "body.features[1]"}, "between -1.798e+308"},
		{"hexadecimal and underscore", `{"features":["0x1p3","1_0"]}`, []string{"body.features[0]", "body.features[1]"}, "finite number"},
		{"leading zero as text", `{"features":["01",null]}`, []string{"body.features[0]", "body.features[1]"}, "finite number"},
		{"nested", `{"features":[[1],{"x":2}]}`, []string{"body.features[0]", "body.features[1]"}, "finite number"},
		{"name missing", `{"features":{"a":1,"c":2}}`, []string{"body.features.b"}, `is missing; unknown names given: "c"`},
		{"name wrong", `{"features":{"a":true,"b":"x"}}`, []string{"body.features.a", "body.features.b"}, "finite number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := parsePredict([]byte(tt.body), schema, nil)
			var problem *ml.Error
			if !errors.As(err, &problem) || problem.Code != ml.CodeInvalid {
				t.Fatalf("parsePredict(%s): error %v, want one with code invalid", tt.body, err)
			}
			var locations []string
			for _, f := range problem.Fields {
				locations = append(locations, f.Location)
			}
			if !slices.Equal(locations, tt.locations) || !strings.Contains(problem.Fields[0].Message, tt.message) {
				t.Fatalf("parsePredict(%s): %v, want locations %v and %q", tt.body, problem.Fields, tt.locations, tt.message)
			}
		})
	}
}

func TestParsePredictBoundsItsAnswer(t *testing.T) {
	t.Parallel()
	body := `{"features":[` + strings.Repeat(`"x",`, 10_000) + `"x"]}`
	for count, want := range map[int]int{10_001: maxProblems, 2: 1} { // of features
		_, _, err := parsePredict([]byte(body), ml.Schema{Features: make([]string, count)}, nil)
		if n := len(problemsOf(err)); n != want {
			t.Errorf("10,001 wrong values for %d features: %d problems named, want %d", count, n, want)
		}
	}
}

// Names that the model does not know cost as much as their bytes, however many there are and however many
// features are missing: one request must not take a core for a minute, nor be answered by megabytes.
func TestParsePredictOfUnknownNames(t *testing.T) {
	t.Parallel()
	schema := ml.Schema{Target: "y", Classes: [2]string{"0", "1"}}
	for i := range 4000 {
		schema.Features = append(schema.Features, fmt.Sprint("feature", i))
	}
	long := strings.Repeat("x", 1000)
	names := make([]string, 50_000)
	for i := range names {
		names[i] = fmt.Sprintf(`"%x":0`, i)
	}
	row := `{"` + long + `":0,` + strings.Join(names, ",") + `}`
	few := schema
	few.Features = schema.Features[:1]
	parse := func(schema ml.Schema) (took time.Duration, one, many error) {
		began := time.Now()
		_, _, one = parsePredict([]byte(`{"features":`+row+`}`), schema, nil)
		_, many = parseBatch([]byte(`{"instances":[[],`+row+`]}`), schema)
		return time.Since(began), one, many
	}
	base, _, _ := parse(few)
	took, one, many := parse(schema)
	if took > 10*base { // about the same, and not a hundred times as long
		t.Errorf("%d features are missing after %v, one after %v", len(schema.Features), took, base)
	}
	for _, err := range []error{one, many} {
		var problem *ml.Error
		if !errors.As(err, &problem) || len(problem.Fields) != maxProblems {
			t.Fatalf("%v, want %d problems", err, maxProblems)
		}
		size := 0
		for _, f := range problem.Fields {
			size += len(f.Location) + len(f.Message)
		}
		last := problem.Fields[maxProblems-1].Message
		if want := `is missing; unknown names given: "0", "1", "10", "100", "1000"`; last != want || size > 20_000 {
			t.Errorf("%d bytes, the last %q; want %q", size, last, want)
		}
	}
	_, _, err := parsePredict([]byte(`{"features":{"`+long+`":0}}`), schema, nil)
	if err == nil || len(problemsOf(err)[0].Message) > 200 {
		t.Errorf("a name of %d bytes is repeated whole", len(long))
	}
}

func problemsOf(err error) []ml.FieldError {
	var problem *ml.Error
	errors.As(err, &problem)
	return problem.Fields
}

// FuzzParsePlain holds the fast path to encoding/json: what it takes, the library takes with the
// same numbers.
func FuzzParsePlain(f *testing.F) {
	for _, seed := range []string{
		`{"features":[0.5,-0.25]}`, ` { "features" : [ 1e5 ] } `, `{"features":[01]}`, `{"features":[1,]}`,
		`{"features":[1e400]}`, `{"features":[-]}`, `{"features":[1.]}`, `{"features":[]}`, `{"features":[1]}x`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		got, ok := parsePlain(body, nil)
		if !ok {
			return
		}
		var want struct {
			Features []float64 `json:"features"`
		}
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("parsePlain takes %q, encoding/json says %v", body, err)
		}
		if !slices.Equal(got, want.Features) {
			t.Fatalf("parsePlain(%q) = %v, want %v", body, got, want.Features)
		}
	})
}

func BenchmarkParsePredict(b *testing.B) {
	schema := ml.GeneratedSchema()
	for name, body := range map[string]string{
		"plain":   `{"features":[0.4967141530112327,-0.13826430117118466]}`,
		"by_name": `{"features":{"feature1":0.4967141530112327,"feature2":-0.13826430117118466}}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			row := make([]float64, 0, 2)
			for b.Loop() {
				if _, _, err := parsePredict([]byte(body), schema, row); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
