-- Schema 1 of the lists in SQLite. Times are microseconds since 1970-01-01T00:00:00Z; unknown or without end is NULL.
-- Networks are written as people write them: an address, or a network without host bits; IPv4 as IPv4.

CREATE TABLE aiwaf_meta (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    schema_version INTEGER NOT NULL
) STRICT;
INSERT INTO aiwaf_meta (id, schema_version) VALUES (1, 1);

CREATE TABLE aiwaf_whitelist (
    position INTEGER NOT NULL PRIMARY KEY,
    network TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL DEFAULT '',
    added_micros INTEGER
) STRICT;

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
CREATE INDEX aiwaf_blacklist_expires ON aiwaf_blacklist (expires_micros) WHERE expires_micros IS NOT NULL;

CREATE TABLE aiwaf_keywords (
    position INTEGER NOT NULL PRIMARY KEY,
    keyword TEXT NOT NULL UNIQUE,
    count INTEGER NOT NULL DEFAULT 1,
    source TEXT NOT NULL DEFAULT 'manual',
    added_micros INTEGER
) STRICT;

CREATE TABLE aiwaf_geo_blocked_countries (
    position INTEGER NOT NULL PRIMARY KEY,
    country TEXT NOT NULL UNIQUE,
    added_micros INTEGER
) STRICT;

CREATE TABLE aiwaf_path_exemptions (
    position INTEGER NOT NULL PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    reason TEXT NOT NULL DEFAULT '',
    added_micros INTEGER
) STRICT;
