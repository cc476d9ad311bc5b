-- A file of the earlier system as SQLAlchemy makes it.
CREATE TABLE users (
	id INTEGER NOT NULL, 
	username VARCHAR(50) NOT NULL, 
	email VARCHAR(100) NOT NULL, 
	password_hash VARCHAR(255) NOT NULL, 
	salt VARCHAR(64) NOT NULL, 
	role VARCHAR(20), 
	is_active BOOLEAN, 
	created_at DATETIME, 
	last_login DATETIME, 
	login_count INTEGER, 
	PRIMARY KEY (id), 
	UNIQUE (username), 
	UNIQUE (email)
);
CREATE TABLE datasets (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	samples_count INTEGER NOT NULL, 
	created_at DATETIME, 
	hour_generated INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (generation_id)
);
CREATE TABLE dataset_samples (
	id INTEGER NOT NULL, 
	generation_id INTEGER NOT NULL, 
	feature1 FLOAT NOT NULL, 
	feature2 FLOAT NOT NULL, 
	target INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(generation_id) REFERENCES datasets (generation_id)
);
CREATE TABLE models (
	id INTEGER NOT NULL, 
	version VARCHAR(50) NOT NULL, 
	accuracy FLOAT NOT NULL, 
	training_samples INTEGER NOT NULL, 
	created_at DATETIME, 
	is_active BOOLEAN, 
	PRIMARY KEY (id), 
	UNIQUE (version)
);
CREATE TABLE prediction_logs (
	id INTEGER NOT NULL, 
	user_id INTEGER, 
	model_version VARCHAR(50) NOT NULL, 
	feature1 FLOAT NOT NULL, 
	feature2 FLOAT NOT NULL, 
	prediction INTEGER NOT NULL, 
	confidence FLOAT, 
	response_time_ms FLOAT, 
	created_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE TABLE drift_detections (
	id INTEGER NOT NULL, 
	model_version VARCHAR(50) NOT NULL, 
	detection_method VARCHAR(50) NOT NULL, 
	trigger_value FLOAT NOT NULL, 
	threshold FLOAT NOT NULL, 
	action_taken VARCHAR(50) NOT NULL, 
	details TEXT, 
	created_at DATETIME, 
	PRIMARY KEY (id)
);
CREATE TABLE model_training_logs (
	id INTEGER NOT NULL, 
	model_version VARCHAR(50) NOT NULL, 
	trigger_reason VARCHAR(100) NOT NULL, 
	training_samples INTEGER NOT NULL, 
	accuracy_before FLOAT, 
	accuracy_after FLOAT NOT NULL, 
	training_duration_seconds FLOAT, 
	mlflow_run_id VARCHAR(100), 
	created_at DATETIME, 
	PRIMARY KEY (id)
);
CREATE TABLE system_logs (
	id INTEGER NOT NULL, 
	level VARCHAR(20) NOT NULL, 
	component VARCHAR(50) NOT NULL, 
	event_type VARCHAR(50) NOT NULL, 
	message TEXT NOT NULL, 
	details TEXT, 
	user_id INTEGER, 
	created_at DATETIME, 
	PRIMARY KEY (id), 
	FOREIGN KEY(user_id) REFERENCES users (id)
);
