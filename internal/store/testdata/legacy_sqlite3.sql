-- A file of the earlier system as its statements for Python's sqlite3 module make it.
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    username TEXT UNIQUE NOT NULL,
    email TEXT UNIQUE NOT NULL,
    password_hash TEXT NOT NULL,
    salt TEXT NOT NULL,
    role TEXT DEFAULT 'user',
    is_active BOOLEAN DEFAULT 1,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    last_login TIMESTAMP,
    login_count INTEGER DEFAULT 0
);
CREATE TABLE IF NOT EXISTS datasets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation_id INTEGER UNIQUE NOT NULL,
    samples_count INTEGER NOT NULL,
    created_at TEXT DEFAULT CURRENT_TIMESTAMP,
    hour_generated INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS dataset_samples (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    generation_id INTEGER NOT NULL,
    feature1 REAL NOT NULL,
    feature2 REAL NOT NULL,
    target INTEGER NOT NULL,
    FOREIGN KEY (generation_id) REFERENCES datasets (generation_id)
);
CREATE TABLE IF NOT EXISTS models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version TEXT UNIQUE NOT NULL,
    accuracy REAL,
    training_samples INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    is_active BOOLEAN DEFAULT 0
);
CREATE TABLE IF NOT EXISTS prediction_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    model_version TEXT,
    feature1 REAL,
    feature2 REAL,
    prediction INTEGER,
    confidence REAL,
    response_time_ms REAL,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    FOREIGN KEY (user_id) REFERENCES users (id)
);
CREATE INDEX IF NOT EXISTS idx_predictions_user ON prediction_logs (user_id);
CREATE TABLE IF NOT EXISTS drift_detections (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model_version TEXT,
    detection_method TEXT,
    trigger_value REAL,
    threshold REAL,
    action_taken TEXT,
    details TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS model_training_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model_version TEXT,
    trigger_reason TEXT,
    training_samples INTEGER,
    accuracy_before REAL,
    accuracy_after REAL,
    training_duration_seconds REAL,
    mlflow_run_id TEXT,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS system_logs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    level TEXT NOT NULL,
    component TEXT NOT NULL,
    event_type TEXT NOT NULL,
    message TEXT NOT NULL,
    details TEXT,
    user_id INTEGER,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
