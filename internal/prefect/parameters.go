package prefect

import (
	"fmt"

	"iacontinu/internal/flowrun"
)

// Parameters are what somebody who asks for a run may set. A zero value means what the process is
// set to.
type Parameters struct {
	Detector  string // random or statistical
	Threshold float64
	Force     bool
}

// The detectors that may be asked for.
var detectors = []string{"random", "statistical"}

// schema makes the form of the server's Custom Run. Nothing is required and nothing has a default,
// so that the settings of the process hold.
func schema() object {
	return object{
		"type": "object", "title": "Parameters", "required": []string{}, "additionalProperties": false,
		"properties": object{
			"detector": object{
				"title": "detector", "type": "string", "enum": detectors, "position": 0,
				"description": "What looks for drift. Left empty, what the worker is set to.",
			},
			"threshold": object{
				"title": "threshold", "type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1, "position": 1,
				"description": "Drift is what lies below: the number drawn (random), or the smallest corrected p-value (statistical). Left empty, what the worker is set to.",
			},
			"force": object{
				"title": "force", "type": "boolean", "position": 2,
				"description": "Retrain whatever is found.",
			},
		},
	}
}

// parse reads the parameters of a run, which may have been made before the schema was what it is.
func parse(given map[string]any) (Parameters, error) {
	var p Parameters
	if v, ok := given["detector"]; ok && v != nil {
		s, _ := v.(string)
		if s != detectors[0] && s != detectors[1] {
			return p, fmt.Errorf("parameter detector is %v, must be one of %v", v, detectors)
		}
		p.Detector = s
	}
	if v, ok := given["threshold"]; ok && v != nil {
		n, isNumber := v.(float64)
		if !isNumber || n <= 0 || n >= 1 {
			return p, fmt.Errorf("parameter threshold is %v, must be a number between 0 and 1", v)
		}
		p.Threshold = n
	}
	if v, ok := given["force"]; ok && v != nil {
		b, isBool := v.(bool)
		if !isBool {
			return p, fmt.Errorf("parameter force is %v, must be true or false", v)
		}
		p.Force = b
	}
	return p, nil
}

// record is the run of a flow that the server's run stands for.
func (r *Runner) record(run serverRun) flowrun.Run {
	key := run.ID
	if slot := r.slot(run); slot > 0 {
		key = fmt.Sprintf("slot-%d", slot)
	}
	return flowrun.Run{
		Flow: r.o.Flow, Key: key, Name: run.Name, ServerID: run.ID, Parameters: run.Parameters, Due: run.due(),
	}
}

// slot is the number of the interval since 1970 that a run is for, 0 for one that somebody asked for.
func (r *Runner) slot(run serverRun) int64 {
	if !run.scheduled() {
		return 0
	}
	return run.due().Unix() / int64(r.o.Interval.Seconds())
}
