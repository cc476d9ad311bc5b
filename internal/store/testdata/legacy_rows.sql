-- Rows as the earlier system wrote them: with and without fractions of a second, with and without
-- what it did not demand.
INSERT INTO users VALUES
    (1, 'admin', 'admin@example.org', 'f66c2a0b0a0e5ae2a5a1b9a4c4a9d3b8e2c7f1a6d5b4c3e2f1a0b9c8d7e6f5a4',
     '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', 'admin', 1,
     '2025-07-14 08:00:00.123456', '2025-07-15 09:30:00', 12),
    (2, 'testuser', 'test@example.org', 'a4f5e6d7c8b9a0f1e2c3b4d5a6f1c7e2b8d3a9c4a4b9a1a5e25aae0a0b2ac66f',
     'ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100', 'user', 0, NULL, NULL, NULL);
INSERT INTO datasets VALUES
    (1, 1, 3, '2025-07-14 08:00:00', 8),
    (2, 7, 2, '2025-07-14T09:00:00.5', 9);
INSERT INTO dataset_samples VALUES
    (1, 1, 0.5, -1.5, 0), (2, 1, 1, 2, 1), (3, 7, -0.25, 0.75, 1), (4, 1, 3, 4, 1), (5, 7, 9, 8, 1);
INSERT INTO models VALUES
    (1, 'v20250714-080000', 0.91, 1000, '2025-07-14 08:00:01.5', 0),
    (2, 'v20250714-090000', 0.93, 2000, NULL, 1);
INSERT INTO prediction_logs VALUES
    (1, 1, 'v20250714-080000', 0.1, 0.2, 1, 0.75, 12.5, '2025-07-14 08:00:02'),
    (2, 1, 'v20250714-090000', 0.3, 0.4, 0, 0.5, 7.5, '2025-07-14 08:00:03.999'),
    (3, NULL, 'v20250714-090000', 0.5, 0.6, 0, NULL, NULL, NULL);
INSERT INTO drift_detections VALUES
    (1, 'v20250714-080000', 'random', 0.3, 0.5, 'retrained', 'drift detected by a random draw', '2025-07-14 08:00:04');
INSERT INTO model_training_logs VALUES
    (1, 'v20250714-090000', 'drift', 2000, 0.91, 0.93, 1.25, 'abc123', '2025-07-14 09:00:00'),
    (2, 'v20250714-080000', 'manual', 1000, NULL, 0.91, NULL, NULL, NULL);
INSERT INTO system_logs VALUES
    (1, 'INFO', 'api', 'login', 'admin logged in', NULL, 1, '2025-07-14 08:00:00'),
    (2, 'WARNING', 'flow', 'drift', 'drift detected', '{"value":0.3}', NULL, NULL);
