-- Schema 1 of log/hot.db: the newest entries of the access log.

-- What all entries of one rule, instance and handler share. `format`: 0 JSON, 1 text.
CREATE TABLE shape (
    id       INTEGER PRIMARY KEY,
    instance TEXT NOT NULL,
    handler  TEXT NOT NULL,
    rule     TEXT NOT NULL,
    format   INTEGER NOT NULL,
    UNIQUE (instance, handler, rule, format)
) STRICT;

-- The entries. `seq` grows in the order of commits and is never given twice, `time` is in microseconds since 1970,
-- `level` is 0 info, 1 warning, 2 error, `line` is the JSON object. `shape` is shape.id, not declared as a foreign key:
-- the check would cost a look-up for every entry.
CREATE TABLE entry (
    seq   INTEGER PRIMARY KEY,
    time  INTEGER NOT NULL,
    level INTEGER NOT NULL,
    shape INTEGER NOT NULL,
    line  TEXT NOT NULL
) STRICT;

-- Warnings and errors are few, so finding them must not read the rest, and the rest does not pay for it.
CREATE INDEX entry_severe ON entry (seq, level) WHERE level > 0;

-- What is in the entries whose seq / 4096 is `id`. In place of an index on time: entries are written nearly in its order,
-- so a window of time is a few blocks, and a row here is paid once a commit instead of once an entry.
CREATE TABLE block (
    id       INTEGER PRIMARY KEY,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    info     INTEGER NOT NULL,
    warning  INTEGER NOT NULL,
    error    INTEGER NOT NULL
) STRICT;

-- One row: the `seq` of the next entry.
CREATE TABLE sequence (
    next INTEGER NOT NULL
) STRICT;

INSERT INTO sequence (next) VALUES (1);
