-- Where in a trace each delivery was owed (W3C traceparent), empty for nowhere.

-- +goose Up
ALTER TABLE outbox ADD COLUMN trace TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE outbox DROP COLUMN trace;
