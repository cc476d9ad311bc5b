package onnx

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// The names of the graph's input and outputs.
const (
	Input       = "features"
	Label       = "label"
	Probability = "probability"
)

// Classifier is a binary logistic classifier: the probability of class 1 is
// σ(Intercept + Σ Coef·(x-Mean)/Scale), the label is 1 where it is above one half, and 0 where it is
// not or is not a number.
type Classifier struct {
	// Version is the model's version, for the metadata.
	Version string
	// Features name the k columns; Coef has one coefficient for each.
	Features []string
	// Target and Classes say what labels 0 and 1 stand for.
	Target  string
	Classes [2]string
	// Mean is subtracted from a row, which is then divided by Scale. nil stands for zeros and ones: the
	// coefficients are those of raw values.
	Mean, Scale []float64
	Coef        []float64
	Intercept   float64
}

// Marshal returns the bytes of the ONNX ModelProto: equal classifiers have equal bytes. The error names
// the field that can't be written.
func (c Classifier) Marshal() ([]byte, error) {
	c = c.withDefaults()
	if fault := c.fault(); fault != "" {
		return nil, errors.New("onnx: " + fault)
	}
	return c.model(), nil
}

func (c Classifier) withDefaults() Classifier {
	if c.Mean == nil {
		c.Mean = make([]float64, len(c.Coef))
	}
	if c.Scale == nil {
		c.Scale = make([]float64, len(c.Coef))
		for i := range c.Scale {
			c.Scale[i] = 1
		}
	}
	return c
}

// fault says what can't be written, empty if nothing.
func (c Classifier) fault() string {
	k := len(c.Coef)
	if k == 0 {
		return "Coef is empty"
	}
	for _, list := range []struct {
		name string
		n    int
	}{{"Features", len(c.Features)}, {"Mean", len(c.Mean)}, {"Scale", len(c.Scale)}} {
		if list.n != k {
			return fmt.Sprintf("%s has %d values for %d coefficients", list.name, list.n, k)
		}
	}
	for _, list := range []struct {
		name   string
		values []float64
	}{{"Coef", c.Coef}, {"Mean", c.Mean}, {"Scale", c.Scale}, {"Intercept", []float64{c.Intercept}}} {
		for i, v := range list.values {
			if math.IsNaN(v) || math.IsInf(v, 0) || v == 0 && list.name == "Scale" {
				return fmt.Sprintf("%s[%d] is %v", list.name, i, v)
			}
		}
	}
	return ""
}

// metadata are pairs of a key and a value, in a fixed order.
func (c Classifier) metadata() [][2]string {
	return [][2]string{
		{"classes", strings.Join(c.Classes[:], "\n")},
		{"features", strings.Join(c.Features, "\n")},
		{"target", c.Target},
		{"version", c.Version},
	}
}
