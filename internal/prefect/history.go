package prefect

import (
	"fmt"
	"time"

	"iacontinu/internal/flowrun"
)

// change is a state that a step came to.
type change struct {
	Type, Name, Message string
	At                  time.Time
	RunCount            int
	RetryAt             time.Time // of AwaitingRetry, zero if it isn't known
}

// history is what became of a step so far. It follows from the run alone, so that a longer run's
// history begins with a shorter one's, whoever asks. The server takes a state only if it is later
// than the one before: no two changes share a time.
func history(run flowrun.Run, s flowrun.Step) []change {
	if run.Started.IsZero() || s.State == "" {
		return nil
	}
	h := []change{{Type: typePending, Name: "Pending", At: run.Started}}
	add := func(c change) {
		if last := h[len(h)-1].At; c.At.Sub(last) < time.Microsecond {
			c.At = last.Add(time.Microsecond)
		}
		h = append(h, c)
	}
	if !s.Started.IsZero() {
		add(change{Type: typeRunning, Name: "Running", At: s.Started, RunCount: 1})
	}
	failures := failuresOf(run, s)
	for i, f := range failures {
		again := change{Type: typeScheduled, Name: "AwaitingRetry", Message: f.Text, At: f.At, RunCount: i + 1}
		if i == len(failures)-1 && s.State == flowrun.Retrying {
			again.RetryAt = s.RetryAt
		}
		add(again)
		if i+1 < s.Attempt {
			add(change{Type: typeRunning, Name: "Retrying", At: f.At.Add(time.Millisecond), RunCount: i + 2})
		}
	}
	if s.State.Final() {
		end := terminal(s.State)
		add(change{Type: end.Type, Name: end.Name, Message: s.Message, At: s.Ended, RunCount: s.Attempt})
	}
	return h
}

// failuresOf are the failures after which a step was or will be tried again, as the run's lines tell
// of them.
func failuresOf(run flowrun.Run, s flowrun.Step) []flowrun.Line {
	n := s.Attempt - 1
	if s.State == flowrun.Retrying {
		n = s.Attempt
	}
	var out []flowrun.Line
	for _, l := range run.Lines {
		if len(out) < n && l.Step == s.Name && l.Level == flowrun.Warning {
			out = append(out, l)
		}
	}
	return out
}

// terminal is the server's name of a final state.
func terminal(s flowrun.State) proposal {
	switch s {
	case flowrun.Failed:
		return proposal{Type: typeFailed, Name: "Failed"}
	case flowrun.Cancelled:
		return proposal{Type: typeCancelled, Name: "Cancelled"}
	case flowrun.Skipped:
		return proposal{Type: typeCompleted, Name: "Skipped"}
	}
	return proposal{Type: typeCompleted, Name: "Completed"}
}

// event is how the server is told of a task run's state with its true time: as Prefect's own engine
// does it, by an event that the server's recorder of task runs reads.
func (c change) event(flowRunID string, run flowrun.Run, s flowrun.Step) object {
	id := taskRunID(flowRunID, s.Name)
	task := object{
		"name": s.Name, "task_key": s.Name, "dynamic_key": "0", "tags": []string{},
		"run_count": c.RunCount, "expected_start_time": stamp(run.Started), "task_inputs": inputs(flowRunID, s),
	}
	if !s.Started.IsZero() && c.RunCount > 0 {
		task["start_time"] = stamp(s.Started)
	}
	if c.final() && !s.Started.IsZero() {
		task["end_time"], task["total_run_time"] = stamp(s.Ended), max(s.Ended.Sub(s.Started), 0).Seconds()
	}
	details := object{}
	if c.Type == typeScheduled {
		at := c.RetryAt
		if at.IsZero() {
			at = c.At
		}
		details["scheduled_time"] = stamp(at)
	}
	return taskEvent(taskState{
		ID: derived("state", id, c.Name, fmt.Sprint(c.RunCount), stamp(c.At)), TaskRunID: id, FlowRunID: flowRunID,
		Name: s.Name, Type: c.Type, State: c.Name, Message: c.Message, At: c.At, Details: details, Task: task,
	})
}

func (c change) final() bool { return state{Type: c.Type}.final() }

// inputs are the steps that a step waits for, of which the server draws the graph.
func inputs(flowRunID string, s flowrun.Step) object {
	in := object{}
	for _, before := range s.After {
		in[before] = []object{{"input_type": "task_run", "id": taskRunID(flowRunID, before)}}
	}
	return in
}

// taskState is a state of a task run as an event tells it.
type taskState struct {
	ID, TaskRunID, FlowRunID string
	Name, Type, State        string
	Message                  string
	At                       time.Time
	Details, Task            object
}

func taskEvent(t taskState) object {
	return object{
		"id": t.ID, "occurred": stamp(t.At), "event": "prefect.task-run." + t.State,
		"resource": object{
			"prefect.resource.id": "prefect.task-run." + t.TaskRunID, "prefect.resource.name": t.Name,
			"prefect.run-count": fmt.Sprint(t.Task["run_count"]), "prefect.state-message": t.Message,
			"prefect.state-name": t.State, "prefect.state-type": t.Type, "prefect.state-timestamp": stamp(t.At),
			"prefect.orchestration": "client", // only such events reach the recorder
		},
		"related": []object{{"prefect.resource.id": "prefect.flow-run." + t.FlowRunID, "prefect.resource.role": "flow-run"}},
		"payload": object{
			"intended": object{"from": nil, "to": t.Type}, "initial_state": nil, "task_run": t.Task,
			"validated_state": object{"type": t.Type, "name": t.State, "message": t.Message, "state_details": t.Details, "data": nil},
		},
	}
}
