-- The checks that found something to tell, newest first, without a look at those that did not.

-- +goose Up
CREATE INDEX drift_detections_seen ON drift_detections (id) WHERE drift = 1 OR action_taken = 'health_check_failed';

-- How a version was made.
CREATE INDEX model_training_logs_version ON model_training_logs (model_version);

-- The audit log by what one looks for.
CREATE INDEX system_logs_event ON system_logs (event_type);
CREATE INDEX system_logs_user ON system_logs (user_id) WHERE user_id IS NOT NULL;

-- +goose Down
DROP INDEX system_logs_user;
DROP INDEX system_logs_event;
DROP INDEX model_training_logs_version;
DROP INDEX drift_detections_seen;
