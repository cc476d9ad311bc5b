-- The tables as the earlier system documented them. A file of that system has them already.

-- +goose Up
CREATE TABLE IF NOT EXISTS datasets (
    id             INTEGER PRIMARY KEY,
    generation_id  INTEGER NOT NULL UNIQUE,
    samples_count  INTEGER NOT NULL,
    created_at     TIMESTAMP,
    hour_generated INTEGER
);

CREATE TABLE IF NOT EXISTS dataset_samples (
    id            INTEGER PRIMARY KEY,
    generation_id INTEGER NOT NULL REFERENCES datasets (generation_id),
    feature1      REAL NOT NULL,
    feature2      REAL NOT NULL,
    target        INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS models (
    id               INTEGER PRIMARY KEY,
    version          TEXT NOT NULL UNIQUE,
    accuracy         REAL,
    training_samples INTEGER,
    created_at       TIMESTAMP,
    is_active        BOOLEAN
);

CREATE TABLE IF NOT EXISTS users (
    id            INTEGER PRIMARY KEY,
    username      TEXT NOT NULL UNIQUE,
    email         TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    salt          TEXT NOT NULL,
    role          TEXT,
    is_active     BOOLEAN,
    created_at    TIMESTAMP,
    last_login    TIMESTAMP,
    login_count   INTEGER
);

CREATE TABLE IF NOT EXISTS prediction_logs (
    id               INTEGER PRIMARY KEY,
    user_id          INTEGER REFERENCES users (id),
    model_version    TEXT,
    feature1         REAL,
    feature2         REAL,
    prediction       INTEGER,
    confidence       REAL,
    response_time_ms REAL,
    created_at       TIMESTAMP
);

CREATE TABLE IF NOT EXISTS drift_detections (
    id               INTEGER PRIMARY KEY,
    model_version    TEXT,
    detection_method TEXT,
    trigger_value    REAL,
    threshold        REAL,
    action_taken     TEXT,
    details          TEXT,
    created_at       TIMESTAMP
);

CREATE TABLE IF NOT EXISTS model_training_logs (
    id                        INTEGER PRIMARY KEY,
    model_version             TEXT,
    trigger_reason            TEXT,
    training_samples          INTEGER,
    accuracy_before           REAL,
    accuracy_after            REAL,
    training_duration_seconds REAL,
    mlflow_run_id             TEXT,
    created_at                TIMESTAMP
);

CREATE TABLE IF NOT EXISTS system_logs (
    id         INTEGER PRIMARY KEY,
    level      TEXT,
    component  TEXT,
    event_type TEXT,
    message    TEXT,
    details    TEXT,
    user_id    INTEGER REFERENCES users (id),
    created_at TIMESTAMP
);

-- +goose Down
DROP TABLE system_logs;
DROP TABLE model_training_logs;
DROP TABLE drift_detections;
DROP TABLE prediction_logs;
DROP TABLE users;
DROP TABLE models;
DROP TABLE dataset_samples;
DROP TABLE datasets;
