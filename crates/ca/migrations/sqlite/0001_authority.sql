CREATE TABLE organisation (
    ico TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE TABLE contract (
    number TEXT PRIMARY KEY,
    ico TEXT NOT NULL REFERENCES organisation (ico),
    debt_since INTEGER,
    cash INTEGER NOT NULL DEFAULT 0,
    three_years INTEGER NOT NULL DEFAULT 0,
    approval INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE applicant (
    id TEXT PRIMARY KEY,
    contract TEXT NOT NULL REFERENCES contract (number),
    given_name TEXT NOT NULL,
    surname TEXT NOT NULL,
    email TEXT NOT NULL,
    three_years INTEGER NOT NULL DEFAULT 0,
    language TEXT NOT NULL DEFAULT 'cs',
    active INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE invitation (
    reference TEXT PRIMARY KEY,
    code BLOB NOT NULL,
    applicant TEXT NOT NULL REFERENCES applicant (id),
    profile TEXT NOT NULL,
    expires INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    used_by TEXT
);
CREATE TABLE request (
    id TEXT PRIMARY KEY,
    kind INTEGER NOT NULL,
    cert_req_id INTEGER NOT NULL,
    sender TEXT NOT NULL,
    applicant TEXT NOT NULL REFERENCES applicant (id),
    profile TEXT NOT NULL,
    public_key BLOB NOT NULL,
    predecessor_issuer TEXT,
    predecessor_serial TEXT,
    implicit_confirm INTEGER NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    note TEXT,
    issuer TEXT,
    serial TEXT,
    created INTEGER NOT NULL,
    decided INTEGER
);
CREATE INDEX request_state ON request (state);
CREATE TABLE certificate (
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    applicant TEXT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL,
    tbs BLOB NOT NULL,
    der BLOB,
    key_hash TEXT NOT NULL,
    key_identifier TEXT NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    revoked_at INTEGER,
    reason INTEGER,
    request TEXT NOT NULL,
    PRIMARY KEY (issuer, serial)
);
CREATE INDEX certificate_key ON certificate (key_hash);
CREATE INDEX certificate_identifier ON certificate (key_identifier);
CREATE INDEX certificate_end ON certificate (state, not_after);
CREATE TABLE exchange (
    transaction_id TEXT NOT NULL,
    message_hash TEXT NOT NULL,
    response BLOB NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, message_hash)
);
CREATE TABLE crl (
    issuer TEXT PRIMARY KEY,
    number INTEGER NOT NULL,
    der BLOB NOT NULL,
    this_update INTEGER NOT NULL,
    next_update INTEGER NOT NULL
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
