BEGIN TRANSACTION;
CREATE TABLE entries (
    pos         INTEGER PRIMARY KEY,
    partition   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    data        BLOB    NOT NULL,
    UNIQUE (source, seq)
) STRICT;
INSERT INTO "entries" VALUES(6,'plant-1','g/a',5,'samples',2000,X'8C93AB9BD2151720C97AF5B1EEE2BD0214C6557F88AC16BE8020601F684E9C7F',X'672F612335');
CREATE INDEX entries_partition ON entries (partition, pos);
COMMIT;
PRAGMA application_id = 1297566791;
PRAGMA user_version = 1;
