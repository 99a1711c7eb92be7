//! A scenario file in the place of a built-in scenario.

use densebots_engine::Plan;

use super::File;
use crate::settings::same;
use crate::{Builtin, Parameter, Ready, SettingError, Settings, Traffic, tree};

impl File {
    /// The file, for as long as the program lives: it reads one or a few.
    pub fn keep(self) -> &'static File {
        Box::leak(Box::new(self))
    }

    /// The scenario that this file is, as if it were built in, and kept as long.
    pub fn builtin(&'static self) -> &'static Builtin {
        let file = self;
        let own = file.parameters.iter().map(|declared| Parameter {
            name: &declared.name,
            default: &declared.default,
            about: &declared.about,
        });
        let mut parameters: Vec<Parameter> = own.collect();
        for known in file.lexicon.parameters {
            if !parameters.iter().any(|own| same(own.name, known.name)) {
                parameters.push(*known);
            }
        }
        let builtin = Builtin {
            name: &file.source.name,
            about: &file.about,
            parameters: Box::leak(parameters.into_boxed_slice()),
            target: file.speaks,
            // What a tree sends depends on what it hears: nobody can know.
            traffic: |_, _| Ok(Traffic::default()),
            bytes_per_bot: tree::bytes_per_bot(file.protocol(), file.bytes),
            pause: None,
            prepare,
        };
        Box::leak(Box::new(builtin))
    }
}

fn prepare(settings: &Settings, plan: &Plan) -> Result<Ready, SettingError> {
    match settings.file() {
        Some(file) => tree::prepare(file, settings, plan),
        None => Err(SettingError::File("these settings are of no scenario file".to_owned())),
    }
}
