// Package flowrun says what a run of a flow is: its steps in their order, their states and times, what
// was logged, what is shown. A Recorder takes it down while the run goes on. The words are Prefect's,
// and so are the meanings of the states, but nothing here knows of a server: a run is recorded alike
// whether somebody watches it, will read of it later, or never will.
package flowrun
