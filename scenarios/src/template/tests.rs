//! What templates come to, and what is said of those that are none.

use densebots_engine::{BotId, Rng, Time};

use super::*;

const SEEN: Place = Place { at: 0, kind: Kind::Number, most: 0 };
const NAME: Place = Place { at: 8, kind: Kind::Text, most: 5 };
const DONE: Place = Place { at: 14, kind: Kind::Truth, most: 0 };

fn names() -> Names<'static> {
    Names {
        values: vec![
            ("pace", Expr::Given(10.0, "10s".into())),
            ("room-names", Expr::Text("room".into())),
        ],
        variables: vec![("seen", SEEN), ("name", NAME), ("done", DONE)],
        fields: &["text", "from"],
    }
}

fn rendered(text: &str) -> Result<String, Trouble> {
    let template = template(text, &names())?;
    let mut memory = [0; 16];
    SEEN.set_number(&mut memory, 3.0);
    NAME.set_text(&mut memory, "anna");
    let heard = Heard {
        event: 0,
        fields: ["hello".into(), "x".into(), "".into(), "".into(), "".into(), "".into()],
    };
    let mut rng = Rng::of(1, BotId(7));
    let now = Time::from_nanos(1_500_000);
    let mut scope = Scope { memory: &memory, id: 7, now, rng: &mut rng, heard: Some(&heard) };
    let mut out = String::new();
    template.render(&mut scope, &mut out);
    Ok(out)
}

#[test]
fn templates_come_to_what_they_say() {
    for (text, expected) in [
        ("", ""),
        ("plain", "plain"),
        ("{{ pace }}", "10s"),
        ("{{ pace * 2 }} s", "20 s"),
        ("{{ room_names }}{{ bot.id }}", "room7"),
        ("{{ 1 + 2 * 3 - 4 / 8 }}", "6.5"),
        ("{{ -(2 - 5) % 2 }}", "1"),
        ("{{ -7 % 3 }}", "2"),
        ("{{ 1_000 }}", "1000"),
        ("{{ seen + 1 }}", "4"),
        ("{{ name }}!", "anna!"),
        ("{{ done }}", "false"),
        ("{{ seen > 2 and not done }}", "true"),
        ("{{ seen > 2 and name == 'anna' or false }}", "true"),
        ("{{ 'a' < 'b' }}{{ 1 != 1 }}", "truefalse"),
        ("{{ event.text }}", "hello"),
        ("{{ contains(event.text, 'ell') }}", "true"),
        ("{{ starts_with(name, 'an') and ends_with(name, 'na') }}", "true"),
        ("{{ if(seen == 3, 'three', name) }}", "three"),
        ("{{ length('zwö') }}", "4"),
        ("{{ number('12.5') + number('no') }}", "12.5"),
        ("{{ min(1, 2) + max(1, 2) + floor(1.7) + round(1.7) + abs(-1) }}", "7"),
        ("{{ run_us() }} {{ run_ms() }}", "1500 1"),
        ("{{ \"}}\" }}", "}}"),
        ("{{ 'it\\'s' }}", "it's"),
        ("{{ pick('a') }}{{ random(4, 4) }}", "a4"),
        ("{{ 1 / 0 > 5 }}", "true"),
    ] {
        assert_eq!(rendered(text), Ok(expected.to_owned()), "{text}");
    }
}

#[test]
fn what_is_drawn_stays_within_its_bounds() {
    for _ in 0..50 {
        let drawn: f64 = rendered("{{ random(5, 9) }}").expect("fits").parse().expect("a number");
        assert!((5.0..=9.0).contains(&drawn) && drawn.fract() == 0.0);
    }
    assert_eq!(rendered("{{ random_text(33) }}").map(|text| text.len()), Ok(33));
    assert_eq!(rendered("{{ random_text(-1) }}"), Ok(String::new()));
    assert_eq!(
        rendered("{{ random_text(1e9 * 1000) }}").map(|_| ()),
        Err(Trouble { at: 15, why: "`1e` is not a number".to_owned() })
    );
    assert_eq!(rendered("{{ random_text(1000000000) }}").map(|text| text.len()), Ok(65_536));
    let picked = rendered("{{ pick('a', 'b') }}").expect("fits");
    assert!(picked == "a" || picked == "b");
}

#[test]
fn troubles_say_where_and_what() {
    for (text, at, why) in [
        ("a {{ b", 2, "`{{` without its `}}`"),
        ("a }}", 2, "`}}` without its `{{`"),
        ("{{ }}", 3, "something is missing here"),
        ("{{ seen + }}", 10, "something is missing here"),
        (
            "{{ sen }}",
            3,
            "no parameter, variable or argument is called `sen`; did you mean `seen`?",
        ),
        ("{{ rondom(1, 2) }}", 3, "no function is called `rondom`; did you mean `random`?"),
        ("{{ random(1) }}", 3, "`random` takes a number and a number"),
        ("{{ run_ms(1) }}", 3, "`run_ms` takes nothing"),
        ("{{ pick() }}", 3, "`pick` needs something to pick from"),
        ("{{ pick(1, 'a') }}", 3, "`pick` takes things of one kind"),
        ("{{ if(1, 2, 3) }}", 3, "`if` takes a truth and two things of one kind"),
        ("{{ random }}", 3, "`random` is a function: write `random(...)`"),
        ("{{ name + 1 }}", 8, "a number belongs here, not a text"),
        ("{{ name == 1 }}", 8, "a text and a number cannot be compared"),
        (
            "{{ random_text(3) == 'a' }}",
            18,
            "a text that is made anew each time cannot be compared",
        ),
        ("{{ seen = 1 }}", 8, "two things are compared with `==`"),
        ("{{ seen && done }}", 8, "`and` is the word for that"),
        ("{{ not seen }}", 3, "`not` of a number is nothing"),
        ("{{ -name }}", 3, "minus a text is nothing"),
        ("{{ 10s }}", 3, "`10s` is not a number"),
        ("{{ 'a }}", 0, "`{{` without its `}}`"),
        ("{{ (1 + 2 }}", 10, "`)` is missing"),
        ("{{ 1 2 }}", 5, "`2` is not expected here"),
        ("{{ bot.name }}", 3, "a bot has no `name`; it has `bot.id`"),
        ("{{ event.body }}", 3, "this event has no `body`; it has text, from"),
        ("{{ seen.x }}", 3, "`seen` has no fields; `bot` and `event` have"),
        ("{{ bot }}", 3, "`bot` of itself says nothing: name a field"),
    ] {
        let expected = Trouble { at, why: why.to_owned() };
        assert_eq!(rendered(text), Err(expected), "{text}");
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(500), ")".repeat(500));
    assert!(rendered(&deep).expect_err("deep").why.contains("too deep"));
    let long = format!("{{{{ {} }}}}", "1 + ".repeat(5000));
    assert!(rendered(&long).expect_err("long").why.contains("more than"));
}

#[test]
fn an_expression_is_of_the_kind_that_belongs_there() {
    let number = |text: &str| expression(text, Kind::Number, &names()).map_err(|t| t.why);
    assert_eq!(number("5"), Ok(Expr::Number(5.0)));
    assert_eq!(number(" {{ seen }} "), Ok(Expr::Variable(SEEN)));
    for wrong in ["many", "{{ seen }}s", "{{ 1 }}{{ 2 }}", "{{ done }}"] {
        assert!(number(wrong).expect_err("wrong").contains("a number belongs here"), "{wrong}");
    }
}

#[test]
fn a_text_is_cut_where_its_variable_ends() {
    let mut memory = [0; 16];
    NAME.set_text(&mut memory, "zwölf");
    assert_eq!(NAME.text(&memory), "zwöl");
    NAME.set_text(&mut memory, "vier\u{1F600}");
    assert_eq!(NAME.text(&memory), "vier");
}
