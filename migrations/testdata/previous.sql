-- The schema that the numbered steps add up to. Written by: go test ./migrations -update

CREATE TABLE activations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('activate', 'rollback')),
    actor TEXT NOT NULL,
    previous INTEGER NOT NULL DEFAULT 0,
    created_at TIMESTAMP NOT NULL
);

CREATE TABLE check_slots (
    slot INTEGER PRIMARY KEY,
    claimed_at TIMESTAMP NOT NULL
);

CREATE TABLE dataset_samples (
    id INTEGER PRIMARY KEY,
    generation_id INTEGER NOT NULL REFERENCES datasets (generation_id),
    feature1 REAL NOT NULL,
    feature2 REAL NOT NULL,
    target INTEGER NOT NULL
);

CREATE TABLE datasets (
    id INTEGER PRIMARY KEY,
    generation_id INTEGER NOT NULL UNIQUE,
    samples_count INTEGER NOT NULL,
    created_at TIMESTAMP,
    hour_generated INTEGER,
    state TEXT NOT NULL DEFAULT 'ready',
    source TEXT NOT NULL DEFAULT 'generated',
    name TEXT NOT NULL DEFAULT '',
    schema TEXT NOT NULL DEFAULT '{"features":["feature1","feature2"],"target":"target","classes":["0","1"]}',
    schema_key TEXT NOT NULL DEFAULT 'af51daf7c3d115a8',
    class0_count INTEGER NOT NULL DEFAULT 0,
    class1_count INTEGER NOT NULL DEFAULT 0,
    fingerprint TEXT NOT NULL DEFAULT '',
    drift TEXT NOT NULL DEFAULT '',
    seed TEXT NOT NULL DEFAULT '0',
    job_id INTEGER NOT NULL DEFAULT 0,
    builder TEXT NOT NULL DEFAULT '',
    first_sample INTEGER NOT NULL DEFAULT 0,
    last_sample INTEGER NOT NULL DEFAULT -1
);

CREATE UNIQUE INDEX datasets_job ON datasets (job_id) WHERE job_id <> 0;

CREATE INDEX datasets_schema ON datasets (schema_key, state, generation_id);

CREATE TABLE drift_detections (
    id INTEGER PRIMARY KEY,
    model_version TEXT,
    detection_method TEXT,
    trigger_value REAL,
    threshold REAL,
    action_taken TEXT,
    details TEXT,
    created_at TIMESTAMP,
    slot INTEGER,
    drift BOOLEAN NOT NULL DEFAULT 1
);

CREATE UNIQUE INDEX drift_detections_slot ON drift_detections (slot) WHERE slot IS NOT NULL;

CREATE TABLE installation (
    id TEXT NOT NULL
);

CREATE TABLE job_progress (
    job_id INTEGER PRIMARY KEY,
    step TEXT NOT NULL,
    fraction REAL NOT NULL,
    result TEXT NOT NULL DEFAULT '',
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE model_training_logs (
    id INTEGER PRIMARY KEY,
    model_version TEXT,
    trigger_reason TEXT,
    training_samples INTEGER,
    accuracy_before REAL,
    accuracy_after REAL,
    training_duration_seconds REAL,
    mlflow_run_id TEXT,
    created_at TIMESTAMP,
    verdict TEXT NOT NULL DEFAULT 'activated',
    details TEXT NOT NULL DEFAULT '',
    job_id INTEGER NOT NULL DEFAULT 0,
    told TEXT NOT NULL DEFAULT ''
);

CREATE INDEX model_training_logs_verdict ON model_training_logs (verdict);

CREATE TABLE models (
    id INTEGER PRIMARY KEY,
    version TEXT NOT NULL UNIQUE,
    accuracy REAL,
    training_samples INTEGER,
    created_at TIMESTAMP,
    is_active BOOLEAN,
    status TEXT NOT NULL DEFAULT 'ready',
    schema TEXT NOT NULL DEFAULT '{"features":["feature1","feature2"],"target":"target","classes":["0","1"]}',
    schema_key TEXT NOT NULL DEFAULT 'af51daf7c3d115a8',
    reason TEXT NOT NULL DEFAULT '',
    dataset_ids TEXT NOT NULL DEFAULT '[]',
    metrics TEXT NOT NULL DEFAULT '',
    digest TEXT NOT NULL DEFAULT '',
    job_id INTEGER NOT NULL DEFAULT 0,
    activated_at TIMESTAMP,
    since_prediction INTEGER NOT NULL DEFAULT 0
);

CREATE UNIQUE INDEX models_active ON models (is_active) WHERE is_active = 1;

CREATE TABLE notification_state (
    topic TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    sent_at TIMESTAMP,
    latest_at TIMESTAMP,
    sending_until TIMESTAMP,
    revision INTEGER NOT NULL
);

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    service TEXT NOT NULL,
    kind TEXT NOT NULL,
    payload TEXT NOT NULL,
    notes TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL,
    trace TEXT NOT NULL DEFAULT ''
);

CREATE INDEX outbox_service ON outbox (service, id);

CREATE TABLE outbox_services (
    service TEXT PRIMARY KEY
);

CREATE TABLE prediction_logs (
    id INTEGER PRIMARY KEY,
    user_id INTEGER REFERENCES users (id),
    model_version TEXT,
    feature1 REAL,
    feature2 REAL,
    prediction INTEGER,
    confidence REAL,
    response_time_ms REAL,
    created_at TIMESTAMP,
    prediction_id TEXT,
    features_more BLOB
);

CREATE INDEX prediction_logs_user ON prediction_logs (user_id);

CREATE TABLE prediction_stats (
    user_id INTEGER NOT NULL,
    model_version TEXT NOT NULL,
    predictions INTEGER NOT NULL,
    sum_confidence REAL NOT NULL,
    sum_response_ms REAL NOT NULL,
    PRIMARY KEY (user_id, model_version)
) WITHOUT ROWID;

CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);

CREATE TABLE system_logs (
    id INTEGER PRIMARY KEY,
    level TEXT,
    component TEXT,
    event_type TEXT,
    message TEXT,
    details TEXT,
    user_id INTEGER REFERENCES users (id),
    created_at TIMESTAMP
);

CREATE TABLE token_revocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    jti TEXT NOT NULL,
    user_id INTEGER NOT NULL,
    not_before TIMESTAMP,
    expires_at TIMESTAMP NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    salt TEXT NOT NULL,
    role TEXT,
    is_active BOOLEAN,
    created_at TIMESTAMP,
    last_login TIMESTAMP,
    login_count INTEGER
);
