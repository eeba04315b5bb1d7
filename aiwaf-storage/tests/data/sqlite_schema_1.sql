BEGIN TRANSACTION;
CREATE TABLE aiwaf_blacklist (
    position INTEGER NOT NULL PRIMARY KEY,
    network TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL DEFAULT 'manual',
    added_micros INTEGER,
    expires_micros INTEGER,
    offences INTEGER NOT NULL DEFAULT 1,
    extended_request_info TEXT
) STRICT;
INSERT INTO "aiwaf_blacklist" VALUES(1,'203.0.113.9','Flood pattern; it''s "bad", =1+1','rate_limit',1700000000123456,1700086400123456,2,'{"path":"/x","agent":"a, b"}');
INSERT INTO "aiwaf_blacklist" VALUES(4,'198.51.100.0/24','','import',NULL,NULL,1,NULL);
INSERT INTO "aiwaf_blacklist" VALUES(7,'2001:db8::/64','ü€😀','trainer',1700000001000000,NULL,4294967295,NULL);
CREATE TABLE aiwaf_geo_blocked_countries (
    position INTEGER NOT NULL PRIMARY KEY,
    country TEXT NOT NULL UNIQUE,
    added_micros INTEGER
) STRICT;
INSERT INTO "aiwaf_geo_blocked_countries" VALUES(1,'KP',1700000003000000);
CREATE TABLE aiwaf_keywords (
    position INTEGER NOT NULL PRIMARY KEY,
    keyword TEXT NOT NULL UNIQUE,
    count INTEGER NOT NULL DEFAULT 1,
    source TEXT NOT NULL DEFAULT 'manual',
    added_micros INTEGER
) STRICT;
INSERT INTO "aiwaf_keywords" VALUES(1,'.env',9223372036854775807,'learned',1700000002000000);
INSERT INTO "aiwaf_keywords" VALUES(2,'union  select',1,'manual',NULL);
CREATE TABLE aiwaf_meta (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL
) STRICT;
INSERT INTO "aiwaf_meta" VALUES(1,1);
CREATE TABLE aiwaf_path_exemptions (
    position INTEGER NOT NULL PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL DEFAULT '',
    added_micros INTEGER
) STRICT;
INSERT INTO "aiwaf_path_exemptions" VALUES(1,'/health','probe',1700000004000000);
INSERT INTO "aiwaf_path_exemptions" VALUES(2,'*.css','',NULL);
CREATE TABLE aiwaf_whitelist (
    position INTEGER NOT NULL PRIMARY KEY,
    network TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL DEFAULT '',
    added_micros INTEGER
) STRICT;
INSERT INTO "aiwaf_whitelist" VALUES(1,'192.168.1.0/24','office',1700000000000000);
INSERT INTO "aiwaf_whitelist" VALUES(3,'2001:db8:1::/48','',NULL);
CREATE INDEX aiwaf_blacklist_expires ON aiwaf_blacklist (expires_micros) WHERE expires_micros IS NOT NULL;
COMMIT;
