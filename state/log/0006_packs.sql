-- Schema 6: entries are kept in packs, a row for what was committed together, instead of a row each.

-- `first` and `last` are numbers of entries; `info`, `warning` and `error` count levels; `hash` is the chain of entries after
-- the last one. `entries` holds all lines, and then, for each entry, its time (8 bytes), where its line ends (4), its shape (4)
-- and its level (1); numbers are little-endian. Last in the row, so that whoever passes a pack over need not read it.
CREATE TABLE pack (
    first    INTEGER PRIMARY KEY,
    last     INTEGER NOT NULL,
    min_time INTEGER NOT NULL,
    max_time INTEGER NOT NULL,
    info     INTEGER NOT NULL,
    warning  INTEGER NOT NULL,
    error    INTEGER NOT NULL,
    hash     BLOB NOT NULL,
    entries  BLOB NOT NULL
) STRICT;

-- Which packs a window of time or a level needs, and how many entries they have, without reading them.
CREATE INDEX pack_summary ON pack (max_time, min_time, first, last, info, warning, error);

-- A pack has what a block had, and the chain's value too: `link` keeps one row, the value before the first pack. The rows of
-- `entry` are put into packs, and the table dropped, by whoever opens the store next.
DROP TABLE block;
