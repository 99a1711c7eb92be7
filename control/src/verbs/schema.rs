//! `densebots schema`: JSON schemas of what the program writes.

use anyhow::Result;

use crate::args::Schema;
use crate::wire::{LimitFile, ReportFile};

mod scenario;

/// The schema, as JSON.
pub(crate) fn text(what: Schema) -> Result<String> {
    let schema = match what {
        Schema::Report => schemars::schema_for!(ReportFile),
        Schema::FindLimit => schemars::schema_for!(LimitFile),
        Schema::Scenario => scenario::schema(),
    };
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}
