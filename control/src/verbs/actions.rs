//! `densebots actions`: what trees of scenario files are made of.

use std::fmt::Write;

use anyhow::Result;
use densebots_scenarios::tree::{DescribedNode, LEAVES, NODES};
use densebots_scenarios::vocabulary::{Described, LEXICONS, Lexicon};

use crate::ending::usage;
use crate::names;

/// All of it, or what bots of one protocol do and hear.
pub(crate) fn text(protocol: Option<&str>) -> Result<String> {
    let known = || LEXICONS.iter().map(|lexicon| lexicon.protocol);
    let mut text = String::new();
    let chosen: Vec<&Lexicon> = match protocol {
        None => {
            let _ = writeln!(text, "nodes: steps with others below them");
            NODES.iter().for_each(|node| described(node, &mut text));
            let _ = writeln!(text, "\nsteps of every protocol");
            LEAVES.iter().for_each(|node| described(node, &mut text));
            let _ = writeln!(text, "\nfunctions of templates, \"{{{{ ... }}}}\"");
            for (call, about) in densebots_scenarios::file::functions() {
                let _ = writeln!(text, "  {call:<32} {about}");
            }
            LEXICONS.to_vec()
        }
        Some(name) => match LEXICONS.iter().find(|lexicon| lexicon.protocol == name) {
            Some(lexicon) => vec![lexicon],
            None => {
                let hint = names::hint(names::nearest(name, known()));
                let known = known().collect::<Vec<_>>().join(", ");
                return Err(usage(format!("`{name}` has no actions (there is {known}){hint}")));
            }
        },
    };
    for lexicon in chosen {
        let _ = writeln!(text, "\nactions of {}", lexicon.protocol);
        lexicon.actions.iter().for_each(|action| acts(action, &mut text));
        let _ = writeln!(text, "\nevents of {}, for wait_for", lexicon.protocol);
        for event in lexicon.events {
            let _ = writeln!(text, "  {:<16} {}", event.name, event.about);
            for field in event.fields {
                let _ = writeln!(text, "      event.{field}");
            }
        }
    }
    Ok(text)
}

fn described(node: &DescribedNode, text: &mut String) {
    let _ = writeln!(text, "  {:<16} {}", node.name, node.about);
    for (key, _, about) in node.keys {
        let _ = writeln!(text, "      {key:<12} {about}");
    }
}

fn acts(action: &Described, text: &mut String) {
    let op = action.op.map_or(String::new(), |op| format!(" [op {op}]"));
    let _ = writeln!(text, "  {:<16} {}{op}", action.name, action.about);
    for argument in action.arguments {
        let left_out = match argument.default {
            None => "",
            Some(_) => " (can be left out)",
        };
        let _ = writeln!(text, "      {:<12} {}{left_out}", argument.name, argument.about);
    }
    if action.op.is_some() {
        let _ = writeln!(text, "      {:<12} how long it may take (can be left out)", "within");
    }
}
