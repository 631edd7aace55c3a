-- senderNonce of the answer: the next message of its transaction gives it back (RFC 9483 section 3.5).
ALTER TABLE exchange ADD COLUMN nonce TEXT;
-- One key has one request: looked for before each new one.
CREATE INDEX request_key ON request (public_key);
