// Package predict answers requests with the active model version.
//
// A request is scored, its row is handed to the prediction log, and it is answered when the row is
// committed. The follower watches the active row in the store and swaps the model without dropping
// a request:
//
//	store: active row ──poll──▶ Follower ──load, check──▶ atomic pointer ──▶ Predictor ──▶ answer
//	                                  │                                          │
//	                                  └─ a version that can't be loaded          └─ log, committed first
//	                                     leaves the old one serving
//
// Everything that can fail happens before the pointer is stored, so a bad version is never half in.
package predict
