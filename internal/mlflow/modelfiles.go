package mlflow

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"

	"iacontinu/internal/logreg"
	"iacontinu/internal/onnx"
)

const (
	modelName = "logistic_regression"
	onnxFile  = "model.onnx"
	// What the files were tried with. Another MLflow 3 reads them too.
	mlflowVersion = "3.17.2"
	pythonVersion = "3.11.7"
)

// requirements are for `mlflow models serve` and for load_model's warning of other versions.
const requirements = "mlflow==" + mlflowVersion + "\nonnx==1.23.2\nonnxruntime==1.32.0\n"

const pythonEnv = "python: " + pythonVersion + `
build_dependencies:
- pip
- setuptools
- wheel
dependencies:
- -r requirements.txt
`

// modelFiles are the files of a model beside MLmodel.
func modelFiles(a *logreg.Artifact) []maker {
	constant := func(name, contentType, content string) maker {
		return func() (file, error) { return file{name, contentType, []byte(content)}, nil }
	}
	example := asJSON(exampleRows(a))
	return []maker{
		func() (file, error) {
			content, err := onnxModel(a)
			return file{onnxFile, "application/octet-stream", content}, err
		},
		constant("requirements.txt", "text/plain", requirements),
		constant("python_env.yaml", "application/yaml", pythonEnv),
		constant("input_example.json", "application/json", example),
		constant("serving_input_example.json", "application/json", `{"dataframe_split": `+example+`}`),
	}
}

// split is a table as pandas writes it with orient="split".
type split struct {
	Columns []string    `json:"columns"`
	Data    [][]float64 `json:"data"`
}

// exampleRows are the quartiles of each feature's training data: values that occur, and nobody's row. They
// are zeros where the model was saved without such data.
func exampleRows(a *logreg.Artifact) split {
	out := split{Columns: a.Features}
	sorted := make([][]float64, len(a.Features))
	for j := range a.Reference {
		sorted[j] = slices.Sorted(slices.Values(a.Reference[j]))
	}
	for quarter := 1; quarter <= 3; quarter++ {
		row := make([]float64, len(a.Features))
		for j, values := range sorted {
			if len(values) > 0 {
				row[j] = values[quarter*len(values)/4]
			}
		}
		out.Data = append(out.Data, row)
	}
	return out
}

// onnxModel writes the version as ONNX. The coefficients are those of raw values: nothing has to be
// subtracted or divided.
func onnxModel(a *logreg.Artifact) ([]byte, error) {
	return onnx.Classifier{
		Version: a.Version, Features: a.Features, Target: a.Target, Classes: a.Classes,
		Coef: a.Model.Coef, Intercept: a.Model.Intercept,
	}.Marshal()
}

// mlmodel is the file that makes a folder a model. Its keys are MLflow's.
func (d *delivery) mlmodel(m loggedModel) (file, error) {
	a := d.artifact
	inputs := asJSON(columns("double", a.Features...))
	outputs := asJSON(append(columns("long", onnx.Label), columns("double", onnx.Probability)...))
	type object = map[string]any
	text, err := yaml.Marshal(object{
		"artifact_path": m.Info.ArtifactURI,
		"flavors": object{
			"onnx": object{"code": nil, "data": onnxFile, "onnx_version": "1.23.2", "providers": []string{"CPUExecutionProvider"}},
			"python_function": object{
				"data": onnxFile, "env": object{"virtualenv": "python_env.yaml"},
				"loader_module": "mlflow.onnx", "python_version": pythonVersion,
			},
		},
		"metadata":       object{"version": a.Version, "target": a.Target, "classes": a.Classes[:]},
		"mlflow_version": mlflowVersion,
		"model_id":       m.Info.ID,
		"model_uuid":     m.Info.ID,
		"run_id":         d.run.Info.ID,
		"saved_input_example_info": object{
			"artifact_path": "input_example.json", "pandas_orient": "split",
			"serving_input_path": "serving_input_example.json", "type": "dataframe",
		},
		"signature":        object{"inputs": inputs, "outputs": outputs, "params": nil},
		"utc_time_created": a.CreatedAt.UTC().Format("2006-01-02 15:04:05.000000"),
	})
	if err != nil {
		return file{}, fmt.Errorf("write MLmodel: %w", err)
	}
	return file{"MLmodel", "application/yaml", text}, nil
}
