// Package retrain makes a model version of a job: from the rows that it asks for to the version that
// serves.
//
//	data ──▶ split ──▶ train ──▶ evaluate ──▶ gate ──▶ save ──▶ activate
//	newest   train     logreg    candidate    is it    models/  one transaction: version, verdict,
//	rows     holdout   .Fit      and champion better?  <name>/  training record, result, messages
//
// Each step is a function of the job alone: its id and time name the version, its arguments pin the
// datasets and seed every draw. So a job that is killed in any step and run again comes to the same
// end, and one whose result is stored ends at once.
//
// # Who is compared with whom
//
// The candidate and the champion, which is the version that serves, answer the same holdout. Over
// several datasets the holdout is the newest fifth of the rows, so that the candidate is judged by
// what it will meet, and the champion by rows that came after its own training. Within one dataset it
// is a random fifth, drawn with the seed of the job: the same data and seed give the same holdout, and
// a champion of the same data has not seen it. Where the data changed otherwise, the champion may have
// been trained on part of the holdout, which favours it. That can keep a better candidate out and
// never lets a worse one in; leak.go counts such rows and the result says how many there are.
package retrain
