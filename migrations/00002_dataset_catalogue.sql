-- Datasets of any schema, invisible until their last batch.

-- +goose Up
ALTER TABLE datasets ADD COLUMN state TEXT NOT NULL DEFAULT 'ready';
ALTER TABLE datasets ADD COLUMN source TEXT NOT NULL DEFAULT 'generated';
ALTER TABLE datasets ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- The defaults are the schema of the generated data, the only one that the earlier system knew.
ALTER TABLE datasets ADD COLUMN schema TEXT NOT NULL
    DEFAULT '{"features":["feature1","feature2"],"target":"target","classes":["0","1"]}';
ALTER TABLE datasets ADD COLUMN schema_key TEXT NOT NULL DEFAULT 'af51daf7c3d115a8';
ALTER TABLE datasets ADD COLUMN class0_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN class1_count INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
ALTER TABLE datasets ADD COLUMN drift TEXT NOT NULL DEFAULT '';
-- A seed has 64 bits without a sign, more than an INTEGER holds.
ALTER TABLE datasets ADD COLUMN seed TEXT NOT NULL DEFAULT '0';
ALTER TABLE datasets ADD COLUMN job_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN builder TEXT NOT NULL DEFAULT '';
-- The rows of a dataset lie between these ids of dataset_samples. They make reading a range scan
-- and spare an index on dataset_samples, which would double the cost of writing.
ALTER TABLE datasets ADD COLUMN first_sample INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN last_sample INTEGER NOT NULL DEFAULT -1;

UPDATE datasets
SET class0_count = s.class0,
    class1_count = s.class1,
    first_sample = s.first,
    last_sample  = s.last
FROM (
    SELECT generation_id,
           SUM(CASE WHEN target = 0 THEN 1 ELSE 0 END) AS class0,
           SUM(CASE WHEN target = 0 THEN 0 ELSE 1 END) AS class1,
           MIN(id) AS first,
           MAX(id) AS last
    FROM dataset_samples
    GROUP BY generation_id
) AS s
WHERE s.generation_id = datasets.generation_id;

-- One dataset a job, so that a job that is repeated finds what it made before.
CREATE UNIQUE INDEX datasets_job ON datasets (job_id) WHERE job_id <> 0;
-- The newest datasets of a schema.
CREATE INDEX datasets_schema ON datasets (schema_key, state, generation_id);

-- The last number given out by name. A dataset's number is never given out again.
CREATE TABLE sequences (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
);
INSERT INTO sequences (name, value) SELECT 'dataset', COALESCE(MAX(generation_id), 0) FROM datasets;

-- +goose Down
DROP TABLE sequences;
DROP INDEX datasets_schema;
DROP INDEX datasets_job;
ALTER TABLE datasets DROP COLUMN last_sample;
ALTER TABLE datasets DROP COLUMN first_sample;
ALTER TABLE datasets DROP COLUMN builder;
ALTER TABLE datasets DROP COLUMN job_id;
ALTER TABLE datasets DROP COLUMN seed;
ALTER TABLE datasets DROP COLUMN drift;
ALTER TABLE datasets DROP COLUMN fingerprint;
ALTER TABLE datasets DROP COLUMN class1_count;
ALTER TABLE datasets DROP COLUMN class0_count;
ALTER TABLE datasets DROP COLUMN schema_key;
ALTER TABLE datasets DROP COLUMN schema;
ALTER TABLE datasets DROP COLUMN name;
ALTER TABLE datasets DROP COLUMN source;
ALTER TABLE datasets DROP COLUMN state;
