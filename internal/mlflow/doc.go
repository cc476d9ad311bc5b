// Package mlflow tells an MLflow server, version 3, of every retraining: its run with parameters, metrics,
// datasets and pictures, the model as ONNX, the registered version and the aliases.
//
// [Client] speaks the REST interface. [Tracker] delivers, and may be cut off anywhere: what it made is noted
// before the next thing is made, and looked for before anything is made again.
//
//	experiment ─ run ─┬─ datasets ─────────────┬─ model ─ registered ─ aliases ─ run
//	 (get or create)  ├─ metrics, pictures ... │  READY    version               finished
//	                  └─ logged model, files ──┘
//
// A retraining that failed is a run that failed, with the reason and without a model. The server is never
// asked for a decision: versions and aliases here are what counts, and [Tracker.Reconcile] says where those
// there are different.
package mlflow
