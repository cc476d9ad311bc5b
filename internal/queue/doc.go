// Package queue keeps the durable jobs of the platform: retrainings, messages to people, deliveries to
// outside services, retention.
// It is River over the store's own SQLite file, so that a job can be enqueued in the transaction that
// makes it necessary.
//
//	            EnqueueRetrain, EnqueueNotify(Tx), EnqueueDelivery(Tx)
//	                        │
//	                        ▼   fetch           nil
//	┌──────────────▶ available ─────▶ running ───────▶ completed
//	│                       ▲            │ │ │
//	│  promoted when due    │  ordered   │ │ └─ permanent error, or message too old ──▶ cancelled
//	│                       │  stop, or  │ └─── last attempt, or worker died too often ▶ discarded
//	├── retryable ◀─────────┼─ error ────┤
//	└── scheduled ◀─────────┼─ snooze ───┘
//	                        │
//	                        └─ the worker's process is gone (orphans.go)
//
// A permanent error has a code: the data, the arguments or the rights on a folder are at fault, and trying
// again cannot help.
// unavailable and storage_full are codes that time or a person mends; they are tried again as errors
// without a code are, a retraining three times, a message for three days.
//
// # What survives what
//
// A job is run at least once, so every handler must be repeatable. A job whose worker was killed is
// put back by any living worker within seconds, and by a restarted one before it fetches anything:
// River's own rescue goes by the clock, one hour, because it cannot know whether a process lives. Here
// each worker's River client ID is the id of its presence, a file that the operating system unlocks
// when the process dies, so one look tells. Neither that nor an ordered stop uses up an attempt.
//
// # Which calls join
//
// Two retrainings are the same work if the fields of ml.RetrainArgs tagged river:"unique" agree. A
// call joins a job that is available, pending, running, retryable or scheduled, the states that still
// lead somewhere. It never joins one that is completed, cancelled or discarded. A job that says
// running but whose worker is dead does lead somewhere, for it is put back as above and keeps its
// unique key meanwhile; one that kills its worker again and again is discarded in the end, which
// frees the key.
package queue
