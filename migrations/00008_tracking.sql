-- What MLflow is told again, and as whom.

-- +goose Up
-- The retraining as it is told, JSON: who asked for what, and when it ran to the millisecond. Empty where that was
-- never written down.
ALTER TABLE model_training_logs ADD COLUMN told TEXT NOT NULL DEFAULT '';

-- The name of this installation among others that share a server. Copies and backups keep it.
CREATE TABLE installation (
    id TEXT NOT NULL
);

INSERT INTO installation (id) VALUES (lower(hex(randomblob(16))));

-- +goose Down
DROP TABLE installation;
ALTER TABLE model_training_logs DROP COLUMN told;
