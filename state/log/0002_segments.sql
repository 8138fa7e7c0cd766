-- Schema 2: sealed segments, and the chain that entries and segments form.

-- The chain of entries: `hash` is the value after the entry `seq`, and so depends on every entry until there. One row for
-- each group that was committed, as far as its entries are still rows. Entries older than this table are not chained.
CREATE TABLE link (
    seq  INTEGER PRIMARY KEY,
    hash BLOB NOT NULL
) STRICT;

INSERT INTO link (seq, hash) SELECT next - 1, zeroblob(32) FROM sequence;

-- The segments: files below segments/ that hold entries which are no rows any more. `id` is the place in the chain, from 1;
-- `first` and `last` are numbers of entries, `before` and `link` the values of the chain of entries there; `digest` is the
-- SHA-256 of the file, `hash` that of `previous` and `digest`; `signature` is the node's, over the head of the log as it
-- was then. `doubt` is empty unless rows had been tampered with before they were sealed. Times are microseconds since 1970.
CREATE TABLE segment (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL,
    first     INTEGER NOT NULL,
    last      INTEGER NOT NULL UNIQUE,
    min_time  INTEGER NOT NULL,
    max_time  INTEGER NOT NULL,
    info      INTEGER NOT NULL,
    warning   INTEGER NOT NULL,
    error     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    sealed    INTEGER NOT NULL,
    before    BLOB NOT NULL,
    link      BLOB NOT NULL,
    digest    BLOB NOT NULL,
    previous  BLOB NOT NULL,
    hash      BLOB NOT NULL,
    signature BLOB NOT NULL,
    doubt     TEXT NOT NULL
) STRICT;
