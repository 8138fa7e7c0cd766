-- Schema 3: what is left of segments from which entries were pruned.

-- One row for each such segment: when it was done, what is left of each level, and the file that has it; none if nothing is
-- left. `prefix` is 1 where all segments before it are pruned whole and not listed any more. `signature` is the node's.
CREATE TABLE pruned (
    id        INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    prefix    INTEGER NOT NULL,
    name      TEXT NOT NULL,
    min_time  INTEGER NOT NULL,
    max_time  INTEGER NOT NULL,
    info      INTEGER NOT NULL,
    warning   INTEGER NOT NULL,
    error     INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    digest    BLOB NOT NULL,
    signature BLOB NOT NULL
) STRICT;
