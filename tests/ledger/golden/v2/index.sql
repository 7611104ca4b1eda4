BEGIN TRANSACTION;
CREATE TABLE conflicts (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    partition   TEXT    NOT NULL,
    source      TEXT    NOT NULL,
    seq         INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    held_pos    INTEGER NOT NULL,
    digest      BLOB    NOT NULL,
    data        BLOB    NOT NULL,
    UNIQUE (source, seq, digest)
) STRICT;
INSERT INTO "conflicts" VALUES(1,'plant-1','g/a',3,'samples',2001,3,X'D9298A10D1B0735837DC4BD85DAC641B0F3CEF27A47E5D53A54F2F3F5B2FCFFA',X'6F74686572');
CREATE TABLE epochs (
    gateway TEXT PRIMARY KEY,
    newest  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "epochs" VALUES('g','b');
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "meta" VALUES('applied',6);
INSERT INTO "meta" VALUES('first_file',3);
CREATE TABLE partitions (
    partition TEXT PRIMARY KEY,
    last_pos  INTEGER NOT NULL,
    removed   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "partitions" VALUES('plant-1',6,2);
INSERT INTO "partitions" VALUES('plant-2',5,0);
CREATE TABLE sources (
    source   TEXT PRIMARY KEY,
    last_seq INTEGER NOT NULL,
    last_pos INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO "sources" VALUES('core',1,5);
INSERT INTO "sources" VALUES('g/a',5,6);
CREATE TABLE spans (
    source    TEXT    NOT NULL,
    file      INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,
    PRIMARY KEY (source, file)
) STRICT, WITHOUT ROWID;
INSERT INTO "spans" VALUES('core',3,1);
INSERT INTO "spans" VALUES('g/a',3,3);
INSERT INTO "spans" VALUES('g/a',6,5);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('conflicts',1);
COMMIT;
PRAGMA application_id = 1297566040;
PRAGMA user_version = 1;
