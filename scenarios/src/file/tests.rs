//! Faulty files and what is said of each, files that are good, and files that nobody would write.
//!
//! `faulty.txt` holds files, each behind `=== ` and what is wrong with it; `said.txt` what is said
//! of them. `DENSEBOTS_WRITE_SAID=1 cargo test -p densebots-scenarios said` writes that anew: read
//! the difference before you keep it.

use proptest::prelude::*;

use super::*;

const FAULTY: &str = include_str!("faulty.txt");

fn read(name: &str, text: &str) -> Result<File, String> {
    let source = Source { name: name.to_owned(), text: text.to_owned() };
    File::read(source).map_err(|(source, faults)| source.show(&faults))
}

/// Each faulty file: what is wrong, and its text.
fn faulty() -> impl Iterator<Item = (&'static str, &'static str)> {
    FAULTY.split("=== ").skip(1).map(|one| one.split_once('\n').unwrap_or((one, "")))
}

#[test]
fn every_faulty_file_is_told_what_is_wrong() {
    let mut said = String::new();
    for (what, text) in faulty() {
        let faults = read("f.yaml", text).expect_err(what);
        said += &format!("=== {what}\n{faults}");
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/file/said.txt");
    if std::env::var_os("DENSEBOTS_WRITE_SAID").is_some() {
        std::fs::write(path, &said).expect("writable");
    }
    let kept = std::fs::read_to_string(path).expect("what was said is kept");
    for (now, before) in said.split("=== ").zip(kept.split("=== ")) {
        assert_eq!(now, before);
    }
    assert_eq!(said.len(), kept.len());
    assert!(faulty().count() >= 40);
}

#[test]
fn files_to_begin_with_are_good() {
    for example in EXAMPLES.iter().chain(STARTERS) {
        let file = read(example.name, example.text).unwrap_or_else(|faults| panic!("{faults}"));
        assert!(!file.about.is_empty() && file.load.bots.is_some(), "{}", example.name);
    }
}

#[test]
fn what_a_file_says_is_read() {
    let text = "
about: a test
target: line://127.0.0.1:7000
embedded: line
parameters:
  pace: 5s
  size: {default: 64, about: how much, range: 1..100, changeable: true}
bots: {tree: [wait: '{{ pace }}', line.send: '{{ size }}']}
load: {bots: 10k, ramp: 2m, for: 1h}
thresholds: [errors.rate < 1%]
";
    let file = read("f.yaml", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((&*file.about, file.target.as_deref()), ("a test", Some("line://127.0.0.1:7000")));
    assert_eq!((file.speaks, file.protocol(), file.kinds()), (Speaks::Rooms, "line", 1));
    let [pace, size] = &file.parameters[..] else { panic!("two parameters") };
    assert_eq!((&*pace.name, &*pace.default, pace.unit), ("pace", "5s", Unit::Time));
    assert_eq!((size.unit, size.changeable, &*size.about), (Unit::Number, true, "how much"));
    assert!(size.check("101").is_err() && size.check("100") == Ok(Some(100.0)));
    assert_eq!((file.load.bots, file.load.arrive), (Some(10_000), None));
    let (threshold, span) = &file.thresholds[0];
    assert_eq!(&text[span.from as usize..span.to as usize], threshold);
}

#[test]
fn json_is_a_scenario_too() {
    let text =
        r#"{"bots": [{"name": "a", "tree": [{"wait": "1s"}, "done"]}], "load": {"bots": 5}}"#;
    let file = read("f.json", text).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((file.kinds(), file.steps(), file.load.bots), (1, 3, Some(5)));
}

#[test]
fn a_file_in_which_trees_use_each_other_endlessly_is_stopped() {
    let mut text = "bots: {tree: t0}\ntrees:\n".to_owned();
    for nth in 0..15 {
        let uses = vec![format!("t{}", nth + 1); 10].join(", ");
        text += &format!("  t{nth}: [{uses}]\n");
    }
    text += "  t15: done\n";
    let said = read("f.yaml", &text).expect_err("ten to the fifteenth steps");
    assert!(said.contains("more than 60000 steps"), "{said}");
}

proptest! {
    /// Whatever is written, it is read or refused.
    #[test]
    fn nothing_that_is_written_makes_it_panic(text in ".{0,300}") {
        let _ = read("f.yaml", &text);
    }

    /// The same of files that are nearly good: some bytes of one are other ones.
    #[test]
    fn nothing_nearly_right_makes_it_panic(
        which in 0usize..60,
        changes in proptest::collection::vec((0usize..2000, "[ -~\n]{0,3}"), 1..6),
    ) {
        let files: Vec<&str> = faulty()
            .map(|(_, text)| text)
            .chain(EXAMPLES.iter().chain(STARTERS).map(|example| example.text))
            .collect();
        let mut text = files[which % files.len()].to_owned();
        for (at, new) in changes {
            // All of these files are ASCII, and stay so.
            let at = at % (text.len() + 1);
            let to = (at + new.len()).min(text.len());
            text.replace_range(at..to, &new);
        }
        let _ = read("f.yaml", &text);
    }

    /// Templates as well.
    #[test]
    fn no_template_makes_it_panic(text in "[ -~]{0,60}") {
        let quoted = text.replace('\'', "''");
        let _ = read("f.yaml", &format!("bots: {{tree: {{line.send: '{{{{ {quoted} }}}}'}}}}"));
    }
}
