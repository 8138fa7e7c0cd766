-- Schema 1 of registry.db: what has been declared.

-- Single numbers. `revision`: the newest commit, 0 before the first.
CREATE TABLE counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO counter (name, value) VALUES ('revision', 0);

-- The resources. `api_group` is empty for the core group, `namespace` for kinds that have none.
-- `meta` is the metadata that the user writes (labels, annotations, generateName) and `body` everything but
-- apiVersion, kind and metadata, both as JSON.
CREATE TABLE resource (
    id          INTEGER PRIMARY KEY,
    api_group   TEXT NOT NULL,
    kind        TEXT NOT NULL,
    namespace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    version     TEXT NOT NULL,
    uid         TEXT NOT NULL,
    revision    INTEGER NOT NULL,
    generation  INTEGER,
    created     TEXT NOT NULL,
    meta        TEXT NOT NULL,
    body        TEXT NOT NULL,
    origin_file TEXT,
    origin_line INTEGER
) STRICT;

-- The order of its columns is the order of lists.
CREATE UNIQUE INDEX resource_key ON resource (api_group, kind, namespace, name);

-- For deleting what is in a namespace.
CREATE INDEX resource_namespace ON resource (namespace);

-- The labels again, so that `-l app=sleep` reads only what fits.
CREATE TABLE label (
    api_group TEXT NOT NULL,
    kind      TEXT NOT NULL,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    resource  INTEGER NOT NULL REFERENCES resource (id) ON DELETE CASCADE,
    PRIMARY KEY (api_group, kind, key, value, resource)
) STRICT, WITHOUT ROWID;

-- For removing a resource's labels.
CREATE INDEX label_resource ON label (resource);

-- Which resources each of the newest commits created, changed or deleted. Every revision has at least one row.
CREATE TABLE change (
    revision  INTEGER NOT NULL,
    api_group TEXT NOT NULL,
    kind      TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name      TEXT NOT NULL,
    PRIMARY KEY (revision, api_group, kind, namespace, name)
) STRICT, WITHOUT ROWID;
