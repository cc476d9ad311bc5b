// Package store keeps what the platform must not forget in one SQLite file: users, datasets, model
// versions, the prediction log, checks, and the audit. It hands out the nouns of package ml; the
// rows that they are kept in are its own affair.
//
// One connection writes, a pool of others reads:
//
//	Log ──► queue ──► batch ──┐
//	                          ├──► writer (1 connection) ──► turnstile ──► SQLite file (WAL)
//	CRUD, jobs, samples ──────┘                                                ▲
//	History, Stats, ... ─────────► readers (query_only) ───────────────────────┘
//
// Within the process the writer connection is the queue. Between processes the turnstile is: see
// docs/adr/0001. Ordinary reads and writes go through gorm; the prediction log and dataset samples,
// which come by the hundred thousand, through prepared statements on the driver's connection.
//
// What is particular to SQLite lies in sqlite.go, conn.go, turnstile.go, bulk.go and errors.go, and in
// the two paths that speak to the driver: predictionstmt.go and samples.go.
//
// Errors that a caller must tell apart carry a code of package ml: CodeNotFound, CodeConflict,
// CodeUnavailable (locked by another for longer than the busy timeout, or closed) and
// CodeStorageFull.
package store
