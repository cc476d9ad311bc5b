-- What outside services are owed.

-- +goose Up
-- A service that is told; who owes asks here, so that nothing is owed to one that nobody has set.
CREATE TABLE outbox_services (
    service TEXT PRIMARY KEY
);

-- Ids rise for ever: they are the order in which a service is told.
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    service    TEXT NOT NULL,
    kind       TEXT NOT NULL,
    payload    TEXT NOT NULL,
    notes      TEXT NOT NULL DEFAULT '',
    attempts   INTEGER NOT NULL DEFAULT 0,
    error      TEXT NOT NULL DEFAULT '',
    created_at TIMESTAMP NOT NULL
);

CREATE INDEX outbox_service ON outbox (service, id);

-- +goose Down
DROP TABLE outbox;
DROP TABLE outbox_services;
