-- The periodic check, what people were told, and revoked tokens.

-- +goose Up
ALTER TABLE drift_detections ADD COLUMN slot INTEGER;
-- The earlier system recorded a check only when it saw drift.
ALTER TABLE drift_detections ADD COLUMN drift BOOLEAN NOT NULL DEFAULT 1;

CREATE UNIQUE INDEX drift_detections_slot ON drift_detections (slot) WHERE slot IS NOT NULL;

-- Who is first to insert a slot checks it.
CREATE TABLE check_slots (
    slot       INTEGER PRIMARY KEY,
    claimed_at TIMESTAMP NOT NULL
);

CREATE TABLE notification_state (
    topic         TEXT PRIMARY KEY,
    state         TEXT NOT NULL,
    sent_at       TIMESTAMP,
    latest_at     TIMESTAMP,
    sending_until TIMESTAMP,
    revision      INTEGER NOT NULL
);

-- Tokens that are invalid before they expire: one by its jti, or all of a user's issued before
-- not_before. Ids rise for ever, so that followers read on from the last that they know.
CREATE TABLE token_revocations (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    jti        TEXT NOT NULL,
    user_id    INTEGER NOT NULL,
    not_before TIMESTAMP,
    expires_at TIMESTAMP NOT NULL
);

-- +goose Down
DROP TABLE token_revocations;
DROP TABLE notification_state;
DROP TABLE check_slots;
DROP INDEX drift_detections_slot;
ALTER TABLE drift_detections DROP COLUMN drift;
ALTER TABLE drift_detections DROP COLUMN slot;
