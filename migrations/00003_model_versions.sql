-- Model versions with their schema and artifact, one active at a time, and what became active when.

-- +goose Up
ALTER TABLE models ADD COLUMN status TEXT NOT NULL DEFAULT 'ready';
ALTER TABLE models ADD COLUMN schema TEXT NOT NULL
    DEFAULT '{"features":["feature1","feature2"],"target":"target","classes":["0","1"]}';
ALTER TABLE models ADD COLUMN schema_key TEXT NOT NULL DEFAULT 'af51daf7c3d115a8';
ALTER TABLE models ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN dataset_ids TEXT NOT NULL DEFAULT '[]';
ALTER TABLE models ADD COLUMN metrics TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN digest TEXT NOT NULL DEFAULT '';
ALTER TABLE models ADD COLUMN job_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE models ADD COLUMN activated_at TIMESTAMP;
ALTER TABLE models ADD COLUMN since_prediction INTEGER NOT NULL DEFAULT 0;

-- The earlier system's models are Python pickles, which can't be served from here: they stay as
-- history, and a first version is trained instead.
UPDATE models SET is_active = 0;

CREATE UNIQUE INDEX models_active ON models (is_active) WHERE is_active = 1;

-- Each activation and rollback in turn; the last is in force. previous is the activation that a
-- rollback returns to, 0 for none. version has no foreign key, for it outlives its version.
CREATE TABLE activations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    version    TEXT NOT NULL,
    action     TEXT NOT NULL CHECK (action IN ('activate', 'rollback')),
    actor      TEXT NOT NULL,
    previous   INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL
);

ALTER TABLE model_training_logs ADD COLUMN verdict TEXT NOT NULL DEFAULT 'activated';
ALTER TABLE model_training_logs ADD COLUMN details TEXT NOT NULL DEFAULT '';
ALTER TABLE model_training_logs ADD COLUMN job_id INTEGER NOT NULL DEFAULT 0;

-- How far a job has come, and once what it came to.
CREATE TABLE job_progress (
    job_id     INTEGER PRIMARY KEY,
    step       TEXT NOT NULL,
    fraction   REAL NOT NULL,
    result     TEXT NOT NULL DEFAULT '',
    updated_at TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE job_progress;
ALTER TABLE model_training_logs DROP COLUMN job_id;
ALTER TABLE model_training_logs DROP COLUMN details;
ALTER TABLE model_training_logs DROP COLUMN verdict;
DROP TABLE activations;
DROP INDEX models_active;
ALTER TABLE models DROP COLUMN since_prediction;
ALTER TABLE models DROP COLUMN activated_at;
ALTER TABLE models DROP COLUMN job_id;
ALTER TABLE models DROP COLUMN digest;
ALTER TABLE models DROP COLUMN metrics;
ALTER TABLE models DROP COLUMN dataset_ids;
ALTER TABLE models DROP COLUMN reason;
ALTER TABLE models DROP COLUMN schema_key;
ALTER TABLE models DROP COLUMN schema;
ALTER TABLE models DROP COLUMN status;
