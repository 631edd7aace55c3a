CREATE TABLE account (
    login TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    organisation TEXT NOT NULL,
    role TEXT NOT NULL,
    language TEXT NOT NULL DEFAULT 'cs'
);
CREATE TABLE binding (
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    account TEXT NOT NULL REFERENCES account (login),
    issuer_name TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    added_how TEXT NOT NULL,
    follows TEXT,
    last_login INTEGER,
    not_after INTEGER,
    PRIMARY KEY (issuer, serial)
);
CREATE TABLE statement (
    id TEXT PRIMARY KEY,
    accepted INTEGER NOT NULL
);
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created INTEGER NOT NULL,
    next_attempt INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    sent INTEGER,
    last_error TEXT
);
CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL,
    link TEXT NOT NULL
);
