CREATE TABLE organisation (
    ico TEXT PRIMARY KEY,
    name TEXT NOT NULL
);
CREATE TABLE contract (
    number TEXT PRIMARY KEY,
    ico TEXT NOT NULL REFERENCES organisation (ico),
    debt_since BIGINT,
    cash BIGINT NOT NULL DEFAULT 0,
    three_years BIGINT NOT NULL DEFAULT 0,
    approval BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE applicant (
    id TEXT PRIMARY KEY,
    contract TEXT NOT NULL REFERENCES contract (number),
    given_name TEXT NOT NULL,
    surname TEXT NOT NULL,
    email TEXT NOT NULL,
    three_years BIGINT NOT NULL DEFAULT 0,
    language TEXT NOT NULL DEFAULT 'cs',
    active BIGINT NOT NULL DEFAULT 1
);
CREATE TABLE invitation (
    reference TEXT PRIMARY KEY,
    code BYTEA NOT NULL,
    applicant TEXT NOT NULL REFERENCES applicant (id),
    profile TEXT NOT NULL,
    expires BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    used_by TEXT
);
CREATE TABLE request (
    id TEXT PRIMARY KEY,
    kind BIGINT NOT NULL,
    cert_req_id BIGINT NOT NULL,
    sender TEXT NOT NULL,
    applicant TEXT NOT NULL REFERENCES applicant (id),
    profile TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    predecessor_issuer TEXT,
    predecessor_serial TEXT,
    implicit_confirm BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    note TEXT,
    issuer TEXT,
    serial TEXT,
    created BIGINT NOT NULL,
    decided BIGINT
);
CREATE INDEX request_state ON request (state);
CREATE TABLE certificate (
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    applicant TEXT NOT NULL,
    profile TEXT NOT NULL,
    state TEXT NOT NULL,
    tbs BYTEA NOT NULL,
    der BYTEA,
    key_hash TEXT NOT NULL,
    key_identifier TEXT NOT NULL,
    not_before BIGINT NOT NULL,
    not_after BIGINT NOT NULL,
    revoked_at BIGINT,
    reason BIGINT,
    request TEXT NOT NULL,
    PRIMARY KEY (issuer, serial)
);
CREATE INDEX certificate_key ON certificate (key_hash);
CREATE INDEX certificate_identifier ON certificate (key_identifier);
CREATE INDEX certificate_end ON certificate (state, not_after);
CREATE TABLE exchange (
    transaction_id TEXT NOT NULL,
    message_hash TEXT NOT NULL,
    response BYTEA NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (transaction_id, message_hash)
);
CREATE TABLE crl (
    issuer TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    der BYTEA NOT NULL,
    this_update BIGINT NOT NULL,
    next_update BIGINT NOT NULL
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
