package logreg

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// FormatVersion is the format of the artifacts that Save writes and LoadArtifact reads.
const FormatVersion = 1

var (
	// ErrArtifact is an artifact that can't be used; the error names the file and the field.
	ErrArtifact = errors.New("bad artifact")
	// ErrNoReference is an artifact that was saved without a reference window.
	ErrNoReference = errors.New("artifact has no reference window")
)

// Artifact is a model version as it is kept on disk: what it takes to serve it, to compare it with
// its successor and to tell how it was made.
type Artifact struct {
	FormatVersion int    `json:"format_version"`
	Version       string `json:"version"`
	// Features are the names of the k columns, in the order of Model.Coef.
	Features []string `json:"features"`
	Target   string   `json:"target"`
	// Classes are the target's two values, as labels 0 and 1.
	Classes [2]string `json:"classes"`
	Model   Model     `json:"model"`
	// Metrics are those of the holdout.
	Metrics         Metrics   `json:"metrics"`
	Options         Options   `json:"options"`
	Seed            uint64    `json:"seed"`
	Fit             FitReport `json:"fit"`
	DatasetIDs      []int64   `json:"dataset_ids"`
	DataFingerprint string    `json:"data_fingerprint"`
	TrainingSamples int       `json:"training_samples"`
	HoldoutSamples  int       `json:"holdout_samples"`
	CreatedAt       time.Time `json:"created_at"`
	// ReferenceDigest is the SHA-256 of the file with the reference window, hexadecimal; empty
	// without one. Save sets it.
	ReferenceDigest string `json:"reference_digest"`
	// Reference is the window of raw values that drift is measured against, k columns of equal
	// length. It lies in a file of its own: see LoadReference.
	Reference [][]float64 `json:"-"`
}

// encode is the JSON of the artifact; equal artifacts have equal bytes.
func (a *Artifact) encode() ([]byte, error) {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}

// decodeArtifact reads and validates the JSON of an artifact.
func decodeArtifact(text []byte) (*Artifact, error) {
	var a Artifact
	if err := decode(text, &a); err != nil {
		return nil, err
	}
	if err := a.validate(); err != nil {
		return nil, err
	}
	// A field that is missing would be served as a zero: an intercept, for example.
	complete, err := a.encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArtifact, err)
	}
	var want, have map[string]any
	if err := errors.Join(json.Unmarshal(complete, &want), json.Unmarshal(text, &have)); err != nil {
		return nil, fieldError(err)
	}
	if field := missing(want, have); field != "" {
		return nil, invalid(field, "is missing")
	}
	return &a, nil
}

// missing is the path of a field that is in want and not in have, empty if there is none.
func missing(want, have map[string]any) string {
	for _, name := range slices.Sorted(maps.Keys(want)) {
		value, ok := have[name]
		if !ok {
			return name
		}
		inner, isObject := want[name].(map[string]any)
		if !isObject {
			continue
		}
		there, _ := value.(map[string]any)
		if field := missing(inner, there); field != "" {
			return name + "." + field
		}
	}
	return ""
}

// decode decodes exactly one JSON value of the known format.
func decode(text []byte, into any) error {
	// The format comes first: another one may well have fields of other types.
	var format struct {
		FormatVersion int `json:"format_version"`
	}
	if err := json.Unmarshal(text, &format); err != nil {
		return fieldError(err)
	}
	if format.FormatVersion != FormatVersion {
		return invalid("format_version", "is %d, want %d", format.FormatVersion, FormatVersion)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fieldError(err)
	}
	return nil
}

// fieldError says where JSON is wrong.
func fieldError(err error) error {
	var wrongType *json.UnmarshalTypeError
	var syntax *json.SyntaxError
	var moment *time.ParseError // there is one field of this type
	switch {
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return invalid(wrongType.Field, "is a %s", wrongType.Value)
	case errors.As(err, &moment):
		return invalid("created_at", "is %q", moment.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("%w: not JSON at byte %d: %w", ErrArtifact, syntax.Offset, err)
	default:
		return fmt.Errorf("%w: %w", ErrArtifact, err)
	}
}

// invalid says what is wrong with a field.
func invalid(field, format string, args ...any) error {
	return fmt.Errorf("%w: field %q %s", ErrArtifact, field, fmt.Sprintf(format, args...))
}

// validate names the first field that can't be right.
func (a *Artifact) validate() error {
	switch {
	case a.FormatVersion != FormatVersion:
		return invalid("format_version", "is %d, want %d", a.FormatVersion, FormatVersion)
	case a.Version == "":
		return invalid("version", "is empty")
	case a.Target == "":
		return invalid("target", "is empty")
	case a.Classes[0] == a.Classes[1]:
		return invalid("classes", "are both %q", a.Classes[0])
	case a.TrainingSamples < 0:
		return invalid("training_samples", "is %d", a.TrainingSamples)
	case a.HoldoutSamples < 0:
		return invalid("holdout_samples", "is %d", a.HoldoutSamples)
	case a.ReferenceDigest != "" && !isDigest(a.ReferenceDigest):
		return invalid("reference_digest", "is not the hexadecimal text of a SHA-256")
	}
	if err := a.Options.validate(); err != nil {
		return invalid("options", "are wrong: %v", err)
	}
	if err := a.validateModel(); err != nil {
		return err
	}
	return a.Metrics.validate()
}

func (a *Artifact) validateModel() error {
	if len(a.Features) == 0 {
		return invalid("features", "is empty")
	}
	seen := make(map[string]bool, len(a.Features))
	for j, name := range a.Features {
		if name == "" {
			return invalid(fmt.Sprintf("features[%d]", j), "is empty")
		}
		if seen[name] {
			return invalid(fmt.Sprintf("features[%d]", j), "is %q again", name)
		}
		seen[name] = true
	}
	if len(a.Model.Coef) != len(a.Features) {
		return invalid("model.coef", "has %d numbers for %d features", len(a.Model.Coef), len(a.Features))
	}
	for j, c := range a.Model.Coef {
		if !isFinite(c) {
			return invalid(fmt.Sprintf("model.coef[%d]", j), "is %v", c)
		}
	}
	if !isFinite(a.Model.Intercept) {
		return invalid("model.intercept", "is %v", a.Model.Intercept)
	}
	if !isFinite(a.Fit.GradNorm) {
		return invalid("fit.grad_norm", "is %v", a.Fit.GradNorm)
	}
	if !isFinite(a.Fit.Objective) {
		return invalid("fit.objective", "is %v", a.Fit.Objective)
	}
	return nil
}

// validate names the first figure that is out of its bounds. The zero value is fine: a version
// need not have been judged.
func (m Metrics) validate() error {
	if m.N < 0 {
		return invalid("metrics.n", "is %d", m.N)
	}
	auc := 0.0
	if m.ROCAUC != nil {
		auc = *m.ROCAUC
	}
	for _, figure := range []struct {
		name  string
		value float64
	}{
		{"accuracy", m.Accuracy},
		{"accuracy_low", m.AccuracyLow},
		{"accuracy_high", m.AccuracyHigh},
		{"precision", m.Precision},
		{"recall", m.Recall},
		{"f1", m.F1},
		{"brier", m.Brier},
		{"roc_auc", auc},
	} {
		if !(figure.value >= 0 && figure.value <= 1) {
			return invalid("metrics."+figure.name, "is %v, want 0 to 1", figure.value)
		}
	}
	if !(m.LogLoss >= 0) || !isFinite(m.LogLoss) {
		return invalid("metrics.log_loss", "is %v", m.LogLoss)
	}
	if m.ROC != nil {
		if fault := m.ROC.validate(); fault != "" {
			return invalid("metrics.roc_curve", "%s", fault)
		}
	}
	for i, row := range m.Confusion {
		for j, count := range row {
			if count < 0 {
				return invalid(fmt.Sprintf("metrics.confusion[%d][%d]", i, j), "is %d", count)
			}
		}
	}
	for i, bin := range m.Calibration {
		if !(bin.Low <= bin.High) || bin.Count < 0 {
			return invalid(fmt.Sprintf("metrics.calibration[%d]", i), "is %+v", bin)
		}
	}
	return nil
}

func isDigest(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
