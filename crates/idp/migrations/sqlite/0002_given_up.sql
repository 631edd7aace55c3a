-- A letter that no mail server will ever take.
ALTER TABLE outbox ADD COLUMN given_up INTEGER;
