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
    added_at BIGINT NOT NULL,
    added_how TEXT NOT NULL,
    follows TEXT,
    last_login BIGINT,
    not_after BIGINT,
    PRIMARY KEY (issuer, serial)
);
CREATE TABLE statement (
    id TEXT PRIMARY KEY,
    accepted BIGINT NOT NULL
);
CREATE TABLE outbox (
    id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL,
    created BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    sent BIGINT,
    last_error TEXT
);
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    event TEXT NOT NULL,
    detail TEXT NOT NULL,
    link TEXT NOT NULL
);
