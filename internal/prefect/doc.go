// Package prefect shows runs of flows on a Prefect 3 server and lets that server ask for runs. It
// speaks the server's REST API itself; there is no Python.
//
//	flowrun.Recorder ── Follower ──┐                    (live, never in the way)
//	flowrun.Run of an outbox ──────┴─ Reporter ─ Client ─ server
//	                      Runner ──────────────────┘    (claims runs, checks, honours operators)
//
// A Reporter brings the server to what a run says, by calls that may be repeated: the ids of task
// runs, of their states and of transitions follow from the run, so that a process that knows nothing
// of an earlier one ends in the same result.
//
// The Runner is a worker of a work pool. While the server does not answer it lets the process check
// by itself:
//
//	         no answer for two intervals
//	server ───────────────────────────────▶ local
//	       ◀───────────────────────────────
//	             the server answers
package prefect
