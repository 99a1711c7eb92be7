//! One file a verb.

pub(crate) mod accounts;
pub(crate) mod actions;
pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod find_limit;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod try_one;
