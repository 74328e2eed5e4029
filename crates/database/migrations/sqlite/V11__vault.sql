-- Which key of the installation seals secrets now: one row, written when the
-- first server starts and whenever the key is rotated. The keys themselves are
-- files outside the database.

CREATE TABLE vault (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    current_key TEXT NOT NULL
);
