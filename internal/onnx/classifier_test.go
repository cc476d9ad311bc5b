package onnx

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func classifier(k int) Classifier {
	random := rand.New(rand.NewPCG(uint64(k), 7))
	c := Classifier{
		Version: "v20240501-120000-7", Target: "target", Classes: [2]string{"no", "yes"}, Intercept: random.NormFloat64(),
	}
	for j := range k {
		c.Features = append(c.Features, fmt.Sprintf("feature%d", j+1))
		c.Coef = append(c.Coef, 2*random.NormFloat64())
	}
	return c
}

// reference is the platform's own rule: raw values, one plane, 1 above one half.
func reference(c Classifier, row []float64) (label int64, p float64) {
	score := c.Intercept
	for j, v := range row {
		if c.Mean != nil {
			v = (v - c.Mean[j]) / c.Scale[j]
		}
		score += c.Coef[j] * v
	}
	p = sigmoid(score)
	if p > 0.5 {
		label = 1
	}
	return label, p
}

func sigmoid(v float64) float64 {
	e := math.Exp(-math.Abs(v))
	if v < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}

func rows(k int) [][]float64 {
	random := rand.New(rand.NewPCG(uint64(k), 8))
	all := func(v float64) []float64 {
		row := make([]float64, k)
		for j := range row {
			row[j] = v
		}
		return row
	}
	out := [][]float64{all(0), all(1e6), all(-1e6), all(1e300), all(-1e300), all(5e-324), all(math.MaxFloat64), all(math.NaN()), all(math.Inf(1))}
	for range 200 {
		row := make([]float64, k)
		for j := range row {
			row[j] = 3 * random.NormFloat64()
		}
		out = append(out, row)
	}
	return out
}

func TestGraphAnswersAsThePlane(t *testing.T) {
	t.Parallel()
	for _, k := range []int{1, 2, 30} {
		plain := classifier(k)
		scaled := classifier(k)
		scaled.Mean, scaled.Scale = make([]float64, k), make([]float64, k)
		for j := range k {
			scaled.Mean[j], scaled.Scale[j] = float64(j)-1.5, 0.25+float64(j)
		}
		for name, c := range map[string]Classifier{"raw": plain, "scaled": scaled} {
			text, err := c.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			m := decodeModel(t, text)
			for _, row := range rows(k) {
				wantLabel, want := reference(c, row)
				label, got := m.graph.run(t, row)
				if label != wantLabel || !(math.Abs(got-want) <= 1e-12) && !(math.IsNaN(got) && math.IsNaN(want)) {
					t.Errorf("k %d, %s, %v: label %d and probability %v, want %d and %v", k, name, row[0], label, got, wantLabel, want)
				}
			}
		}
	}
}

// One half is not above one half.
func TestTie(t *testing.T) {
	t.Parallel()
	c := classifier(2)
	c.Intercept = 0
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m := decodeModel(t, text)
	if label, p := m.graph.run(t, []float64{0, 0}); label != 0 || p != 0.5 {
		t.Errorf("label %d and probability %v, want 0 and one half", label, p)
	}
}

func TestModelSaysWhatItIs(t *testing.T) {
	t.Parallel()
	c := classifier(2)
	text, err := c.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	m := decodeModel(t, text)
	if m.ir != 8 || m.opset != 17 {
		t.Errorf("ir %d and opset %d, want 8 and 17", m.ir, m.opset)
	}
	for key, want := range map[string]string{"version": c.Version, "features": "feature1\nfeature2", "target": "target", "classes": "no\nyes"} {
		if m.metadata[key] != want {
			t.Errorf("%s is %q, want %q", key, m.metadata[key], want)
		}
	}
	if got := fmt.Sprint(m.graph.inputs, m.graph.outputs); got != "[features:11[N 2]] [label:7[N 1] probability:11[N 1]]" {
		t.Errorf("inputs and outputs are %s", got)
	}
	var operators []string
	for _, n := range m.graph.nodes {
		operators = append(operators, n.operator)
	}
	if got := strings.Join(operators, " "); got != "Sub Div Gemm Sigmoid Greater Cast" {
		t.Errorf("operators are %s", got)
	}
	again, err := c.Marshal()
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same classifier has other bytes the second time (%v)", err)
	}
}

func TestMarshalNamesTheFault(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*Classifier){
		"Coef is empty":        func(c *Classifier) { c.Coef = nil },
		"Features has 1":       func(c *Classifier) { c.Features = c.Features[:1] },
		"Coef[1] is NaN":       func(c *Classifier) { c.Coef[1] = math.NaN() },
		"Scale[0] is 0":        func(c *Classifier) { c.Scale = []float64{0, 1} },
		"Mean has 1":           func(c *Classifier) { c.Mean = []float64{0} },
		"Intercept[0] is +Inf": func(c *Classifier) { c.Intercept = math.Inf(1) },
		"Mean[1] is -Inf":      func(c *Classifier) { c.Mean = []float64{0, math.Inf(-1)} },
		"Scale has 3 values":   func(c *Classifier) { c.Scale = []float64{1, 1, 1} },
	} {
		c := classifier(2)
		spoil(&c)
		if _, err := c.Marshal(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// What follows reads the bytes as another program would, knowing onnx.proto alone, and runs the graph.

type model struct {
	ir, opset int64
	metadata  map[string]string
	graph     graph
}

type graph struct {
	nodes           []graphNode
	tensors         map[string]matrix
	inputs, outputs []string
}

type graphNode struct {
	operator, output string
	inputs           []string
	to               int64
}

type matrix struct {
	rows, columns int
	values        []float64
}

// fields calls visit for each field of a message: a number for varints, else bytes.
func fields(t *testing.T, b []byte, visit func(field protowire.Number, number uint64, text []byte)) {
	t.Helper()
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.VarintType:
			v, size := protowire.ConsumeVarint(b)
			visit(field, v, nil)
			n = size
		case protowire.BytesType:
			v, size := protowire.ConsumeBytes(b)
			visit(field, 0, v)
			n = size
		default:
			t.Fatalf("field %d has the wire type %d", field, kind)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
	}
}

func decodeModel(t *testing.T, b []byte) model {
	t.Helper()
	m := model{metadata: map[string]string{}}
	fields(t, b, func(field protowire.Number, number uint64, text []byte) {
		switch field {
		case 1:
			m.ir = int64(number)
		case 7:
			m.graph = decodeGraph(t, text)
		case 8:
			fields(t, text, func(field protowire.Number, number uint64, _ []byte) {
				if field == 2 {
					m.opset = int64(number)
				}
			})
		case 14:
			var pair [3]string
			fields(t, text, func(field protowire.Number, _ uint64, text []byte) { pair[field] = string(text) })
			m.metadata[pair[1]] = pair[2]
		}
	})
	return m
}

func decodeGraph(t *testing.T, b []byte) graph {
	t.Helper()
	g := graph{tensors: map[string]matrix{}}
	fields(t, b, func(field protowire.Number, _ uint64, text []byte) {
		switch field {
		case 1:
			g.nodes = append(g.nodes, decodeNode(t, text))
		case 5:
			name, m := decodeTensor(t, text)
			g.tensors[name] = m
		case 11:
			g.inputs = append(g.inputs, decodeValue(t, text))
		case 12:
			g.outputs = append(g.outputs, decodeValue(t, text))
		}
	})
	return g
}

func decodeNode(t *testing.T, b []byte) graphNode {
	t.Helper()
	var n graphNode
	fields(t, b, func(field protowire.Number, _ uint64, text []byte) {
		switch field {
		case 1:
			n.inputs = append(n.inputs, string(text))
		case 2:
			n.output = string(text)
		case 4:
			n.operator = string(text)
		case 5:
			fields(t, text, func(field protowire.Number, number uint64, _ []byte) {
				if field == 3 {
					n.to = int64(number)
				}
			})
		}
	})
	return n
}

func decodeTensor(t *testing.T, b []byte) (string, matrix) {
	t.Helper()
	var name string
	var dims []int
	var m matrix
	fields(t, b, func(field protowire.Number, number uint64, text []byte) {
		switch field {
		case 1:
			dims = append(dims, int(number))
		case 8:
			name = string(text)
		case 9:
			for ; len(text) >= 8; text = text[8:] {
				m.values = append(m.values, math.Float64frombits(binary.LittleEndian.Uint64(text)))
			}
		}
	})
	m.rows, m.columns = 1, dims[0]
	if len(dims) == 2 {
		m.rows, m.columns = dims[0], dims[1]
	}
	if m.rows*m.columns != len(m.values) {
		t.Fatalf("%s has %d values for %v", name, len(m.values), dims)
	}
	return name, m
}

// decodeValue gives name:type[dimensions].
func decodeValue(t *testing.T, b []byte) (out string) {
	t.Helper()
	var dims []string
	var element uint64
	var name string
	fields(t, b, func(field protowire.Number, _ uint64, text []byte) {
		if field == 1 {
			name = string(text)
			return
		}
		fields(t, text, func(_ protowire.Number, _ uint64, tensor []byte) {
			fields(t, tensor, func(field protowire.Number, number uint64, shape []byte) {
				if field == 1 {
					element = number
					return
				}
				fields(t, shape, func(_ protowire.Number, _ uint64, dim []byte) {
					fields(t, dim, func(field protowire.Number, number uint64, text []byte) {
						dims = append(dims, map[bool]string{true: string(text), false: fmt.Sprint(number)}[field == 2])
					})
				})
			})
		})
	})
	return fmt.Sprintf("%s:%d%v", name, element, dims)
}

// run evaluates the graph for one row.
func (g graph) run(t *testing.T, row []float64) (label int64, probability float64) {
	t.Helper()
	at := map[string]matrix{Input: {rows: 1, columns: len(row), values: row}}
	for name, m := range g.tensors {
		at[name] = m
	}
	for _, n := range g.nodes {
		var in []matrix
		for _, name := range n.inputs {
			m, ok := at[name]
			if !ok {
				t.Fatalf("%s reads %s, which nothing made", n.operator, name)
			}
			in = append(in, m)
		}
		at[n.output] = evaluate(t, n, in)
	}
	return int64(at[Label].values[0]), at[Probability].values[0]
}

func evaluate(t *testing.T, n graphNode, in []matrix) matrix {
	t.Helper()
	each := func(f func(i int) float64) matrix {
		out := matrix{rows: in[0].rows, columns: in[0].columns}
		for i := range in[0].values {
			out.values = append(out.values, f(i))
		}
		return out
	}
	switch n.operator {
	case "Sub":
		return each(func(i int) float64 { return in[0].values[i] - in[1].values[i] })
	case "Div":
		return each(func(i int) float64 { return in[0].values[i] / in[1].values[i] })
	case "Gemm":
		if in[0].columns != in[1].rows || in[1].columns != 1 {
			t.Fatalf("Gemm of %d columns with %d rows", in[0].columns, in[1].rows)
		}
		sum := in[2].values[0]
		for i, v := range in[0].values {
			sum += v * in[1].values[i]
		}
		return matrix{rows: 1, columns: 1, values: []float64{sum}}
	case "Sigmoid":
		return each(func(i int) float64 { return sigmoid(in[0].values[i]) })
	case "Greater", "GreaterOrEqual":
		return each(func(i int) float64 {
			v, limit := in[0].values[i], in[1].values[0]
			if v > limit || v == limit && n.operator == "GreaterOrEqual" {
				return 1
			}
			return 0
		})
	case "Cast":
		if n.to != typeInt64 {
			t.Fatalf("Cast to %d", n.to)
		}
		return in[0]
	}
	t.Fatalf("unknown operator %s", n.operator)
	return matrix{}
}
