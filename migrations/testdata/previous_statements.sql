-- What the store of the previous release asks of the database. Written by: migrations/previous efc443b
DELETE FROM `check_slots` WHERE slot < ?
DELETE FROM `job_progress` WHERE job_id < ?
DELETE FROM `models` WHERE version = ?
DELETE FROM `outbox_services` WHERE `outbox_services`.`service` = ?
DELETE FROM `outbox` WHERE id = ?
DELETE FROM `outbox` WHERE service = ? AND created_at < ?
DELETE FROM `token_revocations` WHERE expires_at < ?
DELETE FROM activations
DELETE FROM dataset_samples WHERE id BETWEEN ? AND ? AND generation_id = ?
DELETE FROM datasets WHERE generation_id = ?
DELETE FROM drift_detections WHERE id IN (SELECT id FROM drift_detections WHERE id <= (SELECT MAX(id) FROM drift_detections) - ? ORDER BY id LIMIT ?)
DELETE FROM job_progress
DELETE FROM models
DELETE FROM prediction_stats WHERE model_version NOT IN (SELECT version FROM models) AND model_version NOT IN ('', ?)
INSERT INTO `activations` (`version`,`action`,`actor`,`previous`,`created_at`) VALUES (?,?,?,?,?) RETURNING `id`
INSERT INTO `check_slots` (`slot`,`claimed_at`) VALUES (?,?) ON CONFLICT DO NOTHING
INSERT INTO `datasets` (`generation_id`,`samples_count`,`created_at`,`hour_generated`,`state`,`source`,`name`,`schema`,`schema_key`,`class0_count`,`class1_count`,`fingerprint`,`drift`,`seed`,`job_id`,`builder`,`first_sample`,`last_sample`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
INSERT INTO `drift_detections` (`model_version`,`detection_method`,`trigger_value`,`threshold`,`action_taken`,`details`,`created_at`,`slot`,`drift`) VALUES (?,?,?,?,?,?,?,?,?) RETURNING `id`
INSERT INTO `job_progress` (`job_id`,`step`,`fraction`,`result`,`updated_at`) VALUES (?,?,?,?,?) ON CONFLICT (`job_id`) DO UPDATE SET `step`=`excluded`.`step`,`fraction`=`excluded`.`fraction`,`result`=`excluded`.`result`,`updated_at`=`excluded`.`updated_at` WHERE job_progress.result = ''
INSERT INTO `model_training_logs` (`model_version`,`trigger_reason`,`training_samples`,`accuracy_before`,`accuracy_after`,`training_duration_seconds`,`mlflow_run_id`,`created_at`,`verdict`,`details`,`job_id`,`told`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?) RETURNING `id`
INSERT INTO `models` (`version`,`accuracy`,`training_samples`,`created_at`,`is_active`,`status`,`schema`,`schema_key`,`reason`,`dataset_ids`,`metrics`,`digest`,`job_id`,`activated_at`,`since_prediction`) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) RETURNING `id`
INSERT INTO `notification_state` (`topic`,`state`,`sent_at`,`latest_at`,`sending_until`,`revision`) VALUES (?,?,?,?,?,?) ON CONFLICT (`topic`) DO UPDATE SET `state`=`excluded`.`state`,`sent_at`=`excluded`.`sent_at`,`latest_at`=`excluded`.`latest_at`,`sending_until`=`excluded`.`sending_until`,`revision`=`excluded`.`revision` WHERE notification_state.revision = ?
INSERT INTO `outbox_services` (`service`) VALUES (?) ON CONFLICT DO NOTHING
INSERT INTO `system_logs` (`level`,`component`,`event_type`,`message`,`details`,`user_id`,`created_at`) VALUES (?,?,?,?,?,?,?) RETURNING `id`
INSERT INTO `token_revocations` (`jti`,`user_id`,`not_before`,`expires_at`) VALUES (?,?,?,?) RETURNING `id`
INSERT INTO `users` (`username`,`email`,`password_hash`,`salt`,`role`,`is_active`,`created_at`,`last_login`,`login_count`) VALUES (?,?,?,?,?,?,?,?,?) RETURNING `id`
INSERT INTO activations (version, action, actor, created_at) VALUES ('v2', 'activate', 'job 72', ?), ('v2', 'activate', 'ann', ?)
INSERT INTO dataset_samples (generation_id, feature1, feature2, target) VALUES (?1,?2,?3,?4)
INSERT INTO datasets (generation_id, source, state, samples_count, class0_count, class1_count) VALUES (?, ?, ?, ?, ?, ?)
INSERT INTO drift_detections (drift, details, created_at) VALUES (1, ?, ?)
INSERT INTO drift_detections (id, created_at) VALUES (?, '2026-01-02 03:04:05')
INSERT INTO installation (id) VALUES (lower(hex(randomblob(16))));
INSERT INTO model_training_logs (id, model_version, verdict, trigger_reason, job_id, created_at) VALUES (?, ?, ?, ?, ?, ?)
INSERT INTO models (version, is_active) VALUES ('kept', 1)
INSERT INTO notification_state (topic, state, revision) VALUES ('t', 's', 1)
INSERT INTO outbox (service, kind, payload, created_at, trace) SELECT service, ?, ?, ?, ? FROM outbox_services WHERE service = ?
INSERT INTO prediction_logs (id, user_id, created_at) VALUES (?, ?, ?)
INSERT INTO prediction_logs (user_id, model_version, feature1, feature2, prediction, confidence, response_time_ms, created_at, prediction_id, features_more) VALUES (?,?,?,?,?,?,?,?,?,?)
INSERT INTO prediction_stats (user_id, model_version, predictions, sum_confidence, sum_response_ms) SELECT COALESCE(user_id, 0), COALESCE(model_version, ''), COUNT(*), COALESCE(SUM(confidence), 0), COALESCE(SUM(response_time_ms), 0) FROM prediction_logs GROUP BY 1, 2;
INSERT INTO prediction_stats (user_id, model_version, predictions, sum_confidence, sum_response_ms) SELECT user_id, ?, SUM(predictions), SUM(sum_confidence), SUM(sum_response_ms) FROM prediction_stats WHERE model_version NOT IN (SELECT version FROM models) AND model_version NOT IN ('', ?) GROUP BY user_id ON CONFLICT DO UPDATE SET predictions = predictions + excluded.predictions, sum_confidence = sum_confidence + excluded.sum_confidence, sum_response_ms = sum_response_ms + excluded.sum_response_ms
INSERT INTO prediction_stats (user_id, model_version, predictions, sum_confidence, sum_response_ms) VALUES (?,?,?,?,?) ON CONFLICT (user_id, model_version) DO UPDATE SET predictions = predictions + excluded.predictions, sum_confidence = sum_confidence + excluded.sum_confidence, sum_response_ms = sum_response_ms + excluded.sum_response_ms
INSERT INTO sequences (name, value) SELECT 'dataset', COALESCE(MAX(generation_id), 0) FROM datasets;
INSERT INTO system_logs (message) VALUES ('once') RETURNING id
INSERT INTO system_logs (message) VALUES (?)
INSERT INTO system_logs (message) VALUES (?) RETURNING id
INSERT INTO users (id, username, email, password_hash, salt, role, is_active, last_login) VALUES (?, ?, ?, '', '', ?, ?, ?)
SELECT * FROM `activations` ORDER BY id DESC LIMIT 1
SELECT * FROM `activations` WHERE id = ? LIMIT 1
SELECT * FROM `datasets` WHERE generation_id = ? AND state = ?
SELECT * FROM `datasets` WHERE generation_id = ? AND state = ? LIMIT 1
SELECT * FROM `datasets` WHERE job_id = ? AND job_id <> 0
SELECT * FROM `datasets` WHERE schema_key = ? AND state = ? AND fingerprint = ? ORDER BY generation_id LIMIT 1
SELECT * FROM `datasets` WHERE schema_key = ? AND state = ? ORDER BY generation_id DESC LIMIT 1
SELECT * FROM `datasets` WHERE schema_key = ? AND state = ? ORDER BY generation_id DESC LIMIT 2
SELECT * FROM `datasets` WHERE state <> ? ORDER BY generation_id
SELECT * FROM `datasets` WHERE state = ? ORDER BY generation_id DESC LIMIT 10
SELECT * FROM `datasets` WHERE state = ? ORDER BY generation_id DESC LIMIT 100
SELECT * FROM `datasets` WHERE state = ? ORDER BY generation_id DESC LIMIT 2
SELECT * FROM `drift_detections` ORDER BY id DESC LIMIT 1
SELECT * FROM `drift_detections` ORDER BY id DESC LIMIT 10
SELECT * FROM `job_progress` WHERE job_id = ? LIMIT 1
SELECT * FROM `model_training_logs` ORDER BY id DESC LIMIT 10
SELECT * FROM `model_training_logs` WHERE model_version = ? ORDER BY id DESC LIMIT 1
SELECT * FROM `models` ORDER BY id DESC LIMIT 1
SELECT * FROM `models` ORDER BY id DESC LIMIT 10
SELECT * FROM `models` ORDER BY id DESC LIMIT 100
SELECT * FROM `models` WHERE is_active = 1 LIMIT 1
SELECT * FROM `models` WHERE is_active = ? LIMIT 1
SELECT * FROM `models` WHERE version = ? LIMIT 1
SELECT * FROM `notification_state` WHERE topic = ? LIMIT 1
SELECT * FROM `outbox` WHERE service = ? ORDER BY id LIMIT 1
SELECT * FROM `prediction_logs` ORDER BY id DESC LIMIT 100
SELECT * FROM `prediction_logs` ORDER BY id DESC LIMIT 1048576
SELECT * FROM `prediction_logs` WHERE user_id = ? ORDER BY id DESC LIMIT 100
SELECT * FROM `prediction_logs` WHERE user_id = ? ORDER BY id DESC LIMIT 1048576
SELECT * FROM `prediction_logs` WHERE user_id = ? ORDER BY id DESC LIMIT 4
SELECT * FROM `system_logs` ORDER BY id DESC LIMIT 100
SELECT * FROM `system_logs` ORDER BY id DESC LIMIT 2
SELECT * FROM `token_revocations` WHERE id > ? ORDER BY id
SELECT * FROM `users` ORDER BY id
SELECT * FROM `users` WHERE id = ? LIMIT 1
SELECT * FROM `users` WHERE username = ? LIMIT 1
SELECT 1 FROM datasets WHERE generation_id = ? AND state = ?
SELECT 1 FROM sequences LIMIT 1
SELECT CASE role WHEN 'admin' THEN role ELSE 'user' END, COUNT(*) FROM users WHERE is_active GROUP BY 1
SELECT COALESCE(MAX(id), 0) FROM drift_detections
SELECT COALESCE(MAX(id), 0) FROM model_training_logs
SELECT COALESCE(MAX(id), 0) FROM prediction_logs
SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest, COALESCE((SELECT error FROM outbox WHERE service = ? ORDER BY id LIMIT 1), '') AS error, EXISTS (SELECT 1 FROM outbox_services WHERE service = ?) AS subscribed FROM outbox WHERE service = ?
SELECT COUNT(*) FROM check_slots
SELECT COUNT(*) FROM dataset_samples
SELECT COUNT(*) FROM datasets
SELECT COUNT(*) FROM drift_detections
SELECT COUNT(*) FROM model_training_logs
SELECT COUNT(*) FROM model_training_logs WHERE verdict = 'rejected' AND id > (SELECT COALESCE(MAX(id), 0) FROM model_training_logs WHERE verdict = 'activated')
SELECT COUNT(*) FROM models
SELECT COUNT(*) FROM prediction_logs
SELECT COUNT(*) FROM sequences WHERE name = 'left'
SELECT COUNT(*) FROM system_logs
SELECT COUNT(*) FROM users
SELECT COUNT(*) FROM users WHERE last_login >= @since OR EXISTS (SELECT 1 FROM prediction_logs WHERE user_id = users.id AND prediction_logs.id >= @first)
SELECT EXISTS (SELECT 1 FROM outbox JOIN outbox_services USING (service) WHERE service = ?)
SELECT `payload` FROM `outbox` WHERE service = ? AND kind = ? ORDER BY id
SELECT `username` FROM `users` WHERE lower(username) = lower(?) AND username <> ? LIMIT 1
SELECT count(*) FROM `datasets` WHERE state = ?
SELECT count(*) FROM `drift_detections`
SELECT count(*) FROM `model_training_logs`
SELECT count(*) FROM `models`
SELECT count(*) FROM `models` WHERE version = ?
SELECT count(*) FROM `system_logs`
SELECT count(*) FROM `users` WHERE email = ?
SELECT count(*) FROM `users` WHERE username = ?
SELECT count(*) FROM system_logs WHERE message = 'once'
SELECT created_at FROM activations WHERE version = ? AND actor = ? ORDER BY id LIMIT 1
SELECT created_at FROM drift_detections WHERE id BETWEEN ? AND ? AND drift AND json_valid(details) AND json_extract(details, '$.job_id') = ? ORDER BY id LIMIT 1
SELECT created_at FROM model_training_logs WHERE verdict = ? ORDER BY id DESC LIMIT 1
SELECT feature1, feature2, features_more FROM prediction_logs WHERE id > ? AND model_version = ? ORDER BY id DESC LIMIT ?
SELECT feature1, feature2, target FROM dataset_samples WHERE id BETWEEN ? AND ? AND generation_id = ? ORDER BY id
SELECT file FROM pragma_database_list
SELECT first_sample, last_sample FROM datasets WHERE generation_id = ?
SELECT id FROM installation
SELECT id, created_at FROM drift_detections WHERE id >= ? ORDER BY id LIMIT 1
SELECT id, created_at FROM model_training_logs WHERE id >= ? ORDER BY id LIMIT 1
SELECT id, created_at FROM prediction_logs WHERE id >= ? ORDER BY id LIMIT 1
SELECT job_id, model_version, created_at FROM model_training_logs WHERE verdict = 'activated' AND trigger_reason = 'drift' ORDER BY id DESC LIMIT 1
SELECT model_version, SUM(predictions) AS predictions, SUM(sum_confidence) AS confidence, SUM(sum_response_ms) AS response_ms FROM `prediction_stats` GROUP BY `model_version`
SELECT model_version, SUM(predictions) AS predictions, SUM(sum_confidence) AS confidence, SUM(sum_response_ms) AS response_ms FROM `prediction_stats` WHERE user_id = ? GROUP BY `model_version`
SELECT samples_count, class0_count, class1_count FROM datasets WHERE state = 'ready' AND source = ? ORDER BY generation_id DESC LIMIT 1
SELECT source, COUNT(*) FROM datasets WHERE state = 'ready' GROUP BY source
SELECT verdict, COUNT(*) FROM model_training_logs NOT INDEXED WHERE id >= ? GROUP BY verdict
SELECT version, (SELECT COALESCE(MAX(id), 0) FROM activations) FROM models WHERE is_active = 1
UPDATE `datasets` SET `builder`=?,`job_id`=?,`state`=? WHERE generation_id = ?
UPDATE `datasets` SET `class0_count`=?,`class1_count`=?,`fingerprint`=?,`samples_count`=?,`state`=? WHERE generation_id = ? AND (state = ? OR fingerprint = ?)
UPDATE `models` SET `activated_at`=?,`is_active`=?,`since_prediction`=(SELECT COALESCE(MAX(id), 0) FROM prediction_logs) WHERE version = ?
UPDATE `models` SET `is_active`=? WHERE is_active = 1
UPDATE `outbox` SET `attempts`=? WHERE `id` = ?
UPDATE `outbox` SET `error`=? WHERE id = ?
UPDATE `outbox` SET `notes`=? WHERE id = ?
UPDATE `users` SET `last_login`=?,`login_count`=COALESCE(login_count, 0) + 1 WHERE id = ?
UPDATE `users` SET `password_hash`=?,`salt`=? WHERE id = ?
UPDATE `users` SET `password_hash`=?,`salt`=? WHERE id = ? AND password_hash = ?
UPDATE datasets SET class0_count = s.class0, class1_count = s.class1, first_sample = s.first, last_sample = s.last FROM ( SELECT generation_id, SUM(CASE WHEN target = 0 THEN 1 ELSE 0 END) AS class0, SUM(CASE WHEN target = 0 THEN 0 ELSE 1 END) AS class1, MIN(id) AS first, MAX(id) AS last FROM dataset_samples GROUP BY generation_id ) AS s WHERE s.generation_id = datasets.generation_id;
UPDATE datasets SET first_sample = ? WHERE generation_id = ?
UPDATE datasets SET first_sample = CASE WHEN last_sample < first_sample THEN last_insert_rowid() - ?2 + 1 ELSE first_sample END, last_sample = last_insert_rowid() WHERE generation_id = ?1
UPDATE models SET is_active = 0;
UPDATE sequences SET value = value + 1 WHERE name = 'dataset' RETURNING value
