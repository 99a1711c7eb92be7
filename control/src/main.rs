//! `densebots`: the program. Flags in, a run, a summary out; everything with which a person steers.
//!
//! ```text
//! args (typed) -> meant (a plan, or a fault) -> verbs -> view, summary, wire (what is told)
//! ```
//!
//! Never: this crate sees of the engine `start`, `Run`, `Command`, `Snapshot`, `Report`, `Plan` and
//! `Preflight`, and nothing deeper.
#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Result;

mod allow;
mod args;
mod clock;
mod ending;
mod fold;
mod meant;
mod names;
mod paint;
mod remedy;
mod report_file;
mod scenario_file;
mod secure;
mod service;
mod signals;
mod srv;
mod summary;
mod target;
mod threshold;
mod trace;
mod verbs;
mod verdict;
mod view;
mod wire;
mod words;

use args::{Typed, Verb};
use densebots_scenarios::units;
use ending::Ending;

fn main() -> ExitCode {
    let typed = match Typed::read(std::env::args_os().collect()) {
        Ok(typed) => typed,
        Err(said) => {
            // Help and version too come this way; what goes to a closed pipe is nobody's fault.
            let _ = said.print();
            return ExitCode::from(said.exit_code() as u8);
        }
    };
    match follow(typed) {
        Ok(ending) => ending.into(),
        Err(error) => {
            let _ = writeln!(io::stderr(), "densebots: {error:#}");
            Ending::of(&error).into()
        }
    }
}

fn follow(typed: Typed) -> Result<Ending> {
    match typed.verb {
        Verb::Run(flags) => verbs::run::run(&flags),
        Verb::FindLimit(flags) => verbs::find_limit::find_limit(*flags),
        Verb::Serve(flags) => verbs::serve::serve(&flags),
        Verb::Accounts(flags) => verbs::accounts::accounts(&flags),
        Verb::List => Ok(tell(&verbs::list::text())),
        Verb::Thresholds => Ok(tell(&threshold::subjects())),
        Verb::Check { files } => verbs::check::check(&files),
        Verb::New(flags) => verbs::new::new(&flags),
        Verb::Show { name } => Ok(tell(verbs::new::shown(&name)?)),
        Verb::Actions { protocol } => Ok(tell(&verbs::actions::text(protocol.as_deref())?)),
        Verb::Doctor(flags) => verbs::doctor::doctor(&flags),
        Verb::Try(flags) => verbs::try_one::try_one(&flags),
        Verb::Schema { what } => Ok(tell(&verbs::schema::text(what)?)),
    }
}

/// Puts what was asked for on standard output. Whoever closed it has heard enough.
fn tell(text: &str) -> Ending {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ending::Passed
}
