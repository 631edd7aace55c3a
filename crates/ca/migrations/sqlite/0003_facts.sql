-- A key is compared as a key, not as its bytes; rows of older versions are filled in when the program starts.
ALTER TABLE certificate ADD COLUMN key_identity TEXT;
ALTER TABLE request ADD COLUMN key_identity TEXT;
CREATE INDEX certificate_identity ON certificate (key_identity);
CREATE INDEX request_identity ON request (key_identity);
-- One open request for each predecessor.
CREATE INDEX request_predecessor ON request (predecessor_issuer, predecessor_serial);
-- What a clerk approves is what is certified: the person's data as they were at the request, or at the invitation.
ALTER TABLE request ADD COLUMN person TEXT;
ALTER TABLE invitation ADD COLUMN person TEXT;
-- Whether the template asked for something that the certificate does not have (RFC 9810 section 5.2.3, grantedWithMods).
ALTER TABLE request ADD COLUMN modified INTEGER NOT NULL DEFAULT 0;
-- Which process made the record: only its own, or those of processes that are gone, are closed at a start.
ALTER TABLE certificate ADD COLUMN owner INTEGER;
-- A letter that no mail server will ever take.
ALTER TABLE outbox ADD COLUMN given_up INTEGER;
