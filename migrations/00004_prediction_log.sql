-- The prediction log under load. Each index here is paid for by every prediction: the newest rows
-- need none, the newest rows of a user need one.

-- +goose Up
ALTER TABLE prediction_logs ADD COLUMN prediction_id TEXT;
-- The features beyond the first two, eight bytes each, IEEE 754, little-endian.
ALTER TABLE prediction_logs ADD COLUMN features_more BLOB;

CREATE INDEX prediction_logs_user ON prediction_logs (user_id);

-- The sums of the log, kept in the transaction of each batch; user 0 is the platform itself.
CREATE TABLE prediction_stats (
    user_id         INTEGER NOT NULL,
    model_version   TEXT NOT NULL,
    predictions     INTEGER NOT NULL,
    sum_confidence  REAL NOT NULL,
    sum_response_ms REAL NOT NULL,
    PRIMARY KEY (user_id, model_version)
) WITHOUT ROWID;

INSERT INTO prediction_stats (user_id, model_version, predictions, sum_confidence, sum_response_ms)
SELECT COALESCE(user_id, 0), COALESCE(model_version, ''), COUNT(*),
       COALESCE(SUM(confidence), 0), COALESCE(SUM(response_time_ms), 0)
FROM prediction_logs
GROUP BY 1, 2;

-- +goose Down
DROP TABLE prediction_stats;
DROP INDEX prediction_logs_user;
ALTER TABLE prediction_logs DROP COLUMN features_more;
ALTER TABLE prediction_logs DROP COLUMN prediction_id;
