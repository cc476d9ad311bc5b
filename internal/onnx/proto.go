package onnx

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	irVersion = 8  // of the container, what opset 17 came with
	opset     = 17 // of the operators
	producer  = "iacontinu"

	// TensorProto.DataType
	typeInt64  = 7
	typeDouble = 11
	// AttributeProto.AttributeType
	attributeInt = 2
)

// message is a protobuf message under construction. The field numbers are those of onnx.proto, which the
// comments name.
type message []byte

func (m *message) text(field protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, field, protowire.BytesType), s)
}

func (m *message) bytes(field protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, field, protowire.BytesType), b)
}

func (m *message) number(field protowire.Number, v int) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, field, protowire.VarintType), uint64(v))
}

// model is a ModelProto.
func (c Classifier) model() []byte {
	var operators, m message
	operators.text(1, "") // OperatorSetIdProto: domain, version
	operators.number(2, opset)

	m.number(1, irVersion)
	m.text(2, producer)
	m.text(3, c.Version) // producer_version
	m.bytes(7, c.graph())
	m.bytes(8, operators)
	for _, pair := range c.metadata() {
		var entry message // StringStringEntryProto
		entry.text(1, pair[0])
		entry.text(2, pair[1])
		m.bytes(14, entry)
	}
	return m
}

// graph is a GraphProto.
func (c Classifier) graph() []byte {
	k := len(c.Coef)
	var g message
	g.bytes(1, node("Sub", "centred", Input, "mean"))
	g.bytes(1, node("Div", "scaled", "centred", "scale"))
	g.bytes(1, node("Gemm", "score", "scaled", "coef", "intercept"))
	g.bytes(1, node("Sigmoid", Probability, "score"))
	g.bytes(1, node("Greater", "above", Probability, "threshold")) // false for what is not a number
	g.bytes(1, cast(Label, "above"))
	g.text(2, "logistic_classifier")
	g.bytes(5, tensor("mean", c.Mean, k))
	g.bytes(5, tensor("scale", c.Scale, k))
	g.bytes(5, tensor("coef", c.Coef, k, 1))
	g.bytes(5, tensor("intercept", []float64{c.Intercept}, 1))
	g.bytes(5, tensor("threshold", []float64{0.5}, 1))
	g.bytes(11, value(Input, typeDouble, k))
	g.bytes(12, value(Label, typeInt64, 1))
	g.bytes(12, value(Probability, typeDouble, 1))
	return g
}

// node is a NodeProto of one output, after which it is named.
func node(operator, output string, inputs ...string) message {
	var n message
	for _, in := range inputs {
		n.text(1, in)
	}
	n.text(2, output)
	n.text(3, "to_"+output)
	n.text(4, operator)
	return n
}

// cast is a node that makes whole numbers.
func cast(output, input string) message {
	var to message // AttributeProto: name, i, type
	to.text(1, "to")
	to.number(3, typeInt64)
	to.number(20, attributeInt)
	n := node("Cast", output, input)
	n.bytes(5, to)
	return n
}

// tensor is a TensorProto with its numbers as raw little-endian bytes.
func tensor(name string, values []float64, dims ...int) message {
	var t message
	for _, d := range dims {
		t.number(1, d)
	}
	t.number(2, typeDouble)
	t.text(8, name)
	raw := make([]byte, 0, 8*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	t.bytes(9, raw)
	return t
}

// value is a ValueInfoProto of N rows.
func value(name string, element, columns int) message {
	var rows, width, shape, kind, typ, v message
	rows.text(2, "N") // TensorShapeProto.Dimension: dim_param
	width.number(1, columns)
	shape.bytes(1, rows)
	shape.bytes(1, width)
	kind.number(1, element) // TypeProto.Tensor
	kind.bytes(2, shape)
	typ.bytes(1, kind)
	v.text(1, name)
	v.bytes(2, typ)
	return v
}
