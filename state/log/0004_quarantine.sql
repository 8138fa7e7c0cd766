-- Schema 4: stores that were found damaged and put aside, each with where it is now and what was wrong. This store was begun
-- in their place, with the segments that their files told of.
CREATE TABLE quarantine (
    time   INTEGER NOT NULL,
    name   TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
