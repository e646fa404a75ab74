-- A store as schema 1 left it: what every later version must be able to open.
PRAGMA application_id = 1297306706;
CREATE TABLE meta(id INTEGER PRIMARY KEY CHECK(id = 1), uuid TEXT NOT NULL, last_rev INTEGER NOT NULL,
  clean INTEGER NOT NULL) STRICT;
CREATE TABLE zone(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, epoch INTEGER NOT NULL CHECK(epoch >= 0)) STRICT;
CREATE TABLE device(id TEXT NOT NULL PRIMARY KEY, shard INTEGER NOT NULL CHECK(shard BETWEEN 0 AND 255),
  boot INTEGER NOT NULL, conn INTEGER NOT NULL, seq INTEGER NOT NULL, content_hash INTEGER NOT NULL,
  observed BLOB, ip4 BLOB, ip6 BLOB, prefix6 BLOB, presence INTEGER NOT NULL, flags INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX device_shard ON device(shard);
CREATE TABLE record(zone INTEGER NOT NULL REFERENCES zone(id), name TEXT NOT NULL,
  type INTEGER NOT NULL CHECK(type IN (1, 28)), device TEXT, ttl INTEGER NOT NULL, want BLOB,
  want_rev INTEGER NOT NULL, have BLOB, have_rev INTEGER NOT NULL DEFAULT 0,
  not_before_ms INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',
  changed_ms INTEGER NOT NULL, applied_ms INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(zone, name, type), CHECK(device IS NOT NULL OR want IS NULL)) STRICT, WITHOUT ROWID;
CREATE INDEX record_device ON record(device, zone, name, type);
CREATE INDEX record_pending ON record(zone, name, type) WHERE want_rev > have_rev;
INSERT INTO meta VALUES(1, '6f1c2c1e-0c0b-4b7e-9a55-1f0d3c2b1a00', 77, 1);
INSERT INTO zone VALUES(1, 'cams.example.net', 12);
INSERT INTO device VALUES('cam-1', 9, 3, 2, 1, -1, x'c6336401', x'c6336401', NULL, NULL, 1, 0, 1000, 900);
INSERT INTO record VALUES(1, 'cam-1.cams.example.net', 1, 'cam-1', 60, x'c6336401', 77, x'c6336402', 70, 0, 2, 'SERVFAIL',
  900, 800);
PRAGMA user_version = 1;
