-- The checks that saw drift, newest first, without a look at those that did not.

-- +goose Up
CREATE INDEX drift_detections_seen ON drift_detections (id) WHERE drift = 1;

-- +goose Down
DROP INDEX drift_detections_seen;
