BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'mlguard-rules','initial','2026-11-25 22:12:53.716310+00:00');
CREATE TABLE alerting (kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
INSERT INTO "alerting" VALUES('alert','["16d7590307bafc3b",[["alertname","Slow"],["model","m"],["project","p"]]]',CAST('{"rule":"16d7590307bafc3b","labels":[["alertname","Slow"],["model","m"],["project","p"]],"annotations":[],"value":5.0,"state":"pending","active_at":1800000000.0,"resolved_at":null,"kept_since":null}' AS BLOB));
INSERT INTO "alerting" VALUES('alert','["21a4f00dc885390a",[["alertname","Busy"],["model","ended"],["project","p"],["severity","critical"]]]',CAST('{"rule":"21a4f00dc885390a","labels":[["alertname","Busy"],["model","ended"],["project","p"],["severity","critical"]],"annotations":[["summary","ended is busy"]],"value":4.0,"state":"resolved","active_at":1800000000.0,"resolved_at":1800000060.0,"kept_since":null}' AS BLOB));
INSERT INTO "alerting" VALUES('alert','["21a4f00dc885390a",[["alertname","Busy"],["model","m"],["project","p"],["severity","critical"]]]',CAST('{"rule":"21a4f00dc885390a","labels":[["alertname","Busy"],["model","m"],["project","p"],["severity","critical"]],"annotations":[["summary","m is busy"]],"value":5.0,"state":"firing","active_at":1800000000.0,"resolved_at":null,"kept_since":null}' AS BLOB));
INSERT INTO "alerting" VALUES('alert','["68b0157afa6a0444",[["alertname","Kept"],["model","kept"],["project","p"]]]',CAST('{"rule":"68b0157afa6a0444","labels":[["alertname","Kept"],["model","kept"],["project","p"]],"annotations":[],"value":2.0,"state":"firing","active_at":1800000000.0,"resolved_at":null,"kept_since":1800000060.0}' AS BLOB));
INSERT INTO "alerting" VALUES('group','["#0",[["alertname","Busy"],["model","ended"],["project","p"]]]',CAST('{"next_flush":1800000330.0,"told":[[["alertname","Busy"],["model","ended"],["project","p"],["severity","critical"]]],"last_sent":1800000030.0}' AS BLOB));
INSERT INTO "alerting" VALUES('group','["#0",[["alertname","Busy"],["model","m"],["project","p"]]]',CAST('{"next_flush":1800000330.0,"told":[[["alertname","Busy"],["model","m"],["project","p"],["severity","critical"]]],"last_sent":1800000030.0}' AS BLOB));
INSERT INTO "alerting" VALUES('group','["#0",[["alertname","Kept"],["model","kept"],["project","p"]]]',CAST('{"next_flush":1800000330.0,"told":[[["alertname","Kept"],["model","kept"],["project","p"]]],"last_sent":1800000030.0}' AS BLOB));
INSERT INTO "alerting" VALUES('letter','"4d93de7822124291ad1987b658cce5c4"',CAST('{"id":"4d93de7822124291ad1987b658cce5c4","receiver":"hook","message":{"title":"[INFO] Grouped","body":"**said by another**. Since 2027-01-15 08:00 UTC, for 1 min.\n\nand 2 more","kind":"info"},"created_at":1800000060.0,"attempts":0,"refusals":0,"next_at":0.0}' AS BLOB));
INSERT INTO "alerting" VALUES('letter','"cd272228e0d04dbdb0a35c0cb3aebb17"',CAST('{"id":"cd272228e0d04dbdb0a35c0cb3aebb17","receiver":"hook","message":{"title":"[CRITICAL] Busy: p/ended","body":"**ended is busy**. Since 2027-01-15 08:00 UTC, for less than a minute.","kind":"failure"},"created_at":1800000030.0,"attempts":0,"refusals":0,"next_at":0.0}' AS BLOB));
INSERT INTO "alerting" VALUES('letter','"ec7ad1eca1684d7cb2937bee82c46897"',CAST('{"id":"ec7ad1eca1684d7cb2937bee82c46897","receiver":"hook","message":{"title":"[INFO] Kept: p/kept","body":"**Kept** (model=kept, project=p). Since 2027-01-15 08:00 UTC, for less than a minute.","kind":"info"},"created_at":1800000030.0,"attempts":0,"refusals":0,"next_at":0.0}' AS BLOB));
INSERT INTO "alerting" VALUES('letter','"ffa76874a4804960a6abca7f67ea4d5e"',CAST('{"id":"ffa76874a4804960a6abca7f67ea4d5e","receiver":"hook","message":{"title":"[CRITICAL] Busy: p/m","body":"**m is busy**. Since 2027-01-15 08:00 UTC, for less than a minute.","kind":"failure"},"created_at":1800000030.0,"attempts":4,"refusals":0,"next_at":1800000130.0}' AS BLOB));
INSERT INTO "alerting" VALUES('news','"digest"',CAST('1800000060.0' AS BLOB));
INSERT INTO "alerting" VALUES('silence','"bba98f9fa223"',CAST('{"id":"bba98f9fa223","matchers":[{"label":"model","operator":"=~","value":"quiet|calm"},{"label":"severity","operator":"!=","value":"critical"}],"starts_at":null,"ends_at":1800086400.0,"comment":"backfill","author":"ann"}' AS BLOB));
INSERT INTO "alerting" VALUES('time','"evaluated"',CAST('1800000105.0' AS BLOB));
INSERT INTO "alerting" VALUES('told','[["alertname","Busy"],["model","ended"],["project","p"],["severity","critical"]]',CAST('{"labels":[["alertname","Busy"],["model","ended"],["project","p"],["severity","critical"]],"annotations":[["summary","ended is busy"]],"starts_at":1800000000.0,"ends_at":1800000060.0,"source":""}' AS BLOB));
INSERT INTO "alerting" VALUES('told','[["alertname","Busy"],["model","m"],["project","p"],["severity","critical"]]',CAST('{"labels":[["alertname","Busy"],["model","m"],["project","p"],["severity","critical"]],"annotations":[["summary","m is busy"]],"starts_at":1800000000.0,"ends_at":null,"source":""}' AS BLOB));
INSERT INTO "alerting" VALUES('told','[["alertname","Kept"],["model","kept"],["project","p"]]',CAST('{"labels":[["alertname","Kept"],["model","kept"],["project","p"]],"annotations":[],"starts_at":1800000000.0,"ends_at":null,"source":""}' AS BLOB));
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
COMMIT;
