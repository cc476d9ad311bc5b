-- The checks that saw drift, newest first, without a look at those that did not.

-- +goose Up
CREATE INDEX drift_detections_seen ON drift_detections (id) WHERE drift = 1;

-- How a version was made.
CREATE INDEX model_training_logs_version ON model_training_logs (model_version);

-- +goose Down
DROP INDEX model_training_logs_version;
DROP INDEX drift_detections_seen;
