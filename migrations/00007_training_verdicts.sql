-- Retrainings by how they ended.

-- +goose Up
CREATE INDEX model_training_logs_verdict ON model_training_logs (verdict);

-- +goose Down
DROP INDEX model_training_logs_verdict;
