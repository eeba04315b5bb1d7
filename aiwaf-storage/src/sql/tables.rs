//! The tables as diesel knows them, the same in every database.

use diesel::QueryResult;

use super::row::{BlacklistRow, CountryRow, KeywordRow, PathExemptionRow, WhitelistRow};

diesel::table! {
    aiwaf_meta (id) {
        id -> Integer,
        schema_version -> BigInt,
    }
}

diesel::table! {
    aiwaf_whitelist (position) {
        position -> BigInt,
        network -> Text,
        reason -> Text,
        added_micros -> Nullable<BigInt>,
    }
}

diesel::table! {
    aiwaf_blacklist (position) {
        position -> BigInt,
        network -> Text,
        reason -> Text,
        source -> Text,
        added_micros -> Nullable<BigInt>,
        expires_micros -> Nullable<BigInt>,
        offences -> BigInt,
        extended_request_info -> Nullable<Text>,
    }
}

diesel::table! {
    aiwaf_keywords (position) {
        position -> BigInt,
        keyword -> Text,
        count -> BigInt,
        source -> Text,
        added_micros -> Nullable<BigInt>,
    }
}

diesel::table! {
    aiwaf_geo_blocked_countries (position) {
        position -> BigInt,
        country -> Text,
        added_micros -> Nullable<BigInt>,
    }
}

diesel::table! {
    aiwaf_path_exemptions (position) {
        position -> BigInt,
        path -> Text,
        reason -> Text,
        added_micros -> Nullable<BigInt>,
    }
}

/// A connection to a database with the table of `R`.
pub(super) trait Table<R> {
    /// Hands over all rows by their position.
    fn each(&mut self, take: &mut dyn FnMut(R)) -> QueryResult<()>;
    /// The rows with one of these keys, by their position.
    fn find(&mut self, keys: &[String]) -> QueryResult<Vec<R>>;
    fn insert(&mut self, rows: &[R]) -> QueryResult<()>;
    fn delete(&mut self, positions: &[i64]) -> QueryResult<()>;
    /// Deletes all rows, and says how many there were.
    fn clear(&mut self) -> QueryResult<usize>;
}

/// A connection to a database with all tables.
pub(super) trait Tables:
    Table<WhitelistRow> + Table<BlacklistRow> + Table<KeywordRow> + Table<CountryRow> + Table<PathExemptionRow>
{
    /// Deletes the bans that ended at this time or before, and says how many there were.
    fn remove_ended_bans(&mut self, micros: i64) -> QueryResult<usize>;
}

/// How many rows one statement handles; a row has at most eight values, and SQLite takes 32,766 at once.
pub(super) const ROWS_AT_ONCE: usize = 1000;

/// Makes a connection one with all tables; `$insert` says which rows one statement inserts. The statements are the same for
/// all databases, but not for diesel's types.
macro_rules! impl_tables {
    ($connection:ty, $loading:ty, $insert:ident) => {
        impl_tables!($connection, $loading, $insert, WhitelistRow, aiwaf_whitelist, network);
        impl_tables!($connection, $loading, $insert, BlacklistRow, aiwaf_blacklist, network);
        impl_tables!($connection, $loading, $insert, KeywordRow, aiwaf_keywords, keyword);
        impl_tables!($connection, $loading, $insert, CountryRow, aiwaf_geo_blocked_countries, country);
        impl_tables!($connection, $loading, $insert, PathExemptionRow, aiwaf_path_exemptions, path);

        impl $crate::sql::tables::Tables for $connection {
            fn remove_ended_bans(&mut self, micros: i64) -> diesel::QueryResult<usize> {
                use diesel::prelude::*;
                use $crate::sql::tables::aiwaf_blacklist::dsl;
                diesel::delete(dsl::aiwaf_blacklist.filter(dsl::expires_micros.le(micros))).execute(self)
            }
        }
    };
    ($connection:ty, $loading:ty, $insert:ident, $row:ident, $table:ident, $key:ident) => {
        impl $crate::sql::tables::Table<$crate::sql::row::$row> for $connection {
            fn each(&mut self, take: &mut dyn FnMut($crate::sql::row::$row)) -> diesel::QueryResult<()> {
                use diesel::prelude::*;
                use $crate::sql::tables::$table::dsl;
                let rows = dsl::$table.order(dsl::position).load_iter::<_, $loading>(self)?;
                for row in rows {
                    take(row?);
                }
                Ok(())
            }

            fn find(&mut self, keys: &[String]) -> diesel::QueryResult<Vec<$crate::sql::row::$row>> {
                use diesel::prelude::*;
                use $crate::sql::tables::$table::dsl;
                let mut found: Vec<$crate::sql::row::$row> = Vec::new();
                for keys in keys.chunks($crate::sql::tables::ROWS_AT_ONCE) {
                    found.extend(
                        dsl::$table
                            .filter(dsl::$key.eq_any(keys))
                            .load_iter::<_, $loading>(self)?
                            .collect::<diesel::QueryResult<Vec<_>>>()?,
                    );
                }
                found.sort_unstable_by_key($crate::sql::row::Row::position);
                Ok(found)
            }

            fn insert(&mut self, rows: &[$crate::sql::row::$row]) -> diesel::QueryResult<()> {
                use diesel::prelude::*;
                use $crate::sql::tables::$table::dsl;
                for rows in $insert(rows) {
                    diesel::insert_into(dsl::$table).values(rows).execute(self)?;
                }
                Ok(())
            }

            fn delete(&mut self, positions: &[i64]) -> diesel::QueryResult<()> {
                use diesel::prelude::*;
                use $crate::sql::tables::$table::dsl;
                for positions in positions.chunks($crate::sql::tables::ROWS_AT_ONCE) {
                    diesel::delete(dsl::$table.filter(dsl::position.eq_any(positions))).execute(self)?;
                }
                Ok(())
            }

            fn clear(&mut self) -> diesel::QueryResult<usize> {
                use diesel::prelude::*;
                diesel::delete($crate::sql::tables::$table::dsl::$table).execute(self)
            }
        }
    };
}
pub(super) use impl_tables;
