//! Mail against a plain-list model: who had to hear what, and in which order.

use std::collections::BTreeMap;

use densebots_engine::{BotId, Time};

use crate::book::{Address, Letter, Pages};

/// Compares everything heard with everything written. `end` is when the run began to drain.
pub(crate) fn check(book: &Pages, end: Time) -> Vec<String> {
    let mut wrong = Vec::new();
    let heard = by_letter(book, &mut wrong);
    for (number, letter) in book.letters.iter().enumerate() {
        let who = heard.get(&number).cloned().unwrap_or_default();
        for &(bot, at) in &who {
            if let Some(why) = may_not_hear(book, letter, bot, at) {
                wrong.push(format!("mail: letter {number} {letter:?}, bot {bot} at {at:?}: {why}"));
            }
        }
        for bot in must_hear(book, letter, end) {
            if !who.iter().any(|&(hearer, _)| hearer == bot) {
                wrong.push(format!("mail: letter {number} {letter:?} did not reach bot {bot}"));
            }
        }
    }
    wrong.extend(orders(book));
    wrong
}

type Hearers = Vec<(BotId, Time)>;

/// Who heard each letter; nobody hears one twice.
fn by_letter(book: &Pages, wrong: &mut Vec<String>) -> BTreeMap<usize, Hearers> {
    let mut heard: BTreeMap<usize, Hearers> = BTreeMap::new();
    for &(number, bot, at) in &book.heard {
        let who = heard.entry(number).or_default();
        if who.iter().any(|&(hearer, _)| hearer == bot) {
            wrong.push(format!("mail: bot {bot} heard letter {number} twice"));
        }
        who.push((bot, at));
    }
    heard
}

/// Why this bot must not have heard the letter then.
fn may_not_hear(book: &Pages, letter: &Letter, bot: BotId, at: Time) -> Option<&'static str> {
    if !letter.admitted && letter.to != Address::All {
        return Some("it was dropped");
    }
    if at < letter.at {
        return Some("before it was written");
    }
    match letter.to {
        Address::Bot(to) if to != bot => return Some("it was for another"),
        Address::Bot(_) => {}
        _ if letter.from == bot => return Some("nobody hears himself"),
        Address::All => {}
        Address::Group(group) => {
            let mut stays = book.stays.iter();
            let inside = stays.any(|stay| {
                (stay.bot, stay.group) == (bot, group)
                    && stay.from <= at
                    && stay.until.is_none_or(|until| at <= until)
            });
            if !inside {
                return Some("it was not in the group");
            }
        }
    }
    let life = book.lives.get(&bot)?;
    (life.ended.is_some_and(|ended| ended < at)).then_some("it was dead")
}

/// Who had to hear it, however the home ordered what came to it: those who were there long before
/// and long after.
fn must_hear(book: &Pages, letter: &Letter, end: Time) -> Vec<BotId> {
    let arrived = book.arrived_by(letter.at);
    if !letter.admitted || arrived >= end {
        return Vec::new();
    }
    let alive = |bot: BotId| {
        let life = book.lives.get(&bot)?;
        let known = life.runs > 0 && life.started < letter.at;
        (known && life.ended.is_none_or(|ended| ended > arrived)).then_some(bot)
    };
    match letter.to {
        Address::Bot(to) => alive(to).into_iter().collect(),
        Address::All => {
            book.lives.keys().filter(|&&bot| bot != letter.from).filter_map(|&b| alive(b)).collect()
        }
        Address::Group(group) => book
            .stays
            .iter()
            .filter(|stay| stay.group == group && stay.bot != letter.from)
            .filter(|stay| book.arrived_by(stay.from) < letter.at)
            .filter(|stay| stay.until.is_none_or(|until| until > arrived))
            .filter_map(|stay| alive(stay.bot))
            .collect(),
    }
}

/// All members hear a group's letters in one order, and letters of one bot to one address come in
/// the order in which they were written.
fn orders(book: &Pages) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut groups: BTreeMap<u64, BTreeMap<BotId, Vec<usize>>> = BTreeMap::new();
    let mut last: BTreeMap<(BotId, BotId, Address), usize> = BTreeMap::new();
    for &(number, bot, _) in &book.heard {
        let letter = &book.letters[number];
        let before = last.insert((bot, letter.from, letter.to), number);
        if before.is_some_and(|before| before > number) {
            wrong.push(format!("mail: bot {bot} heard {number} of {} late", letter.from));
        }
        if let Address::Group(group) = letter.to {
            groups.entry(group).or_default().entry(bot).or_default().push(number);
        }
    }
    for (group, members) in &groups {
        // Each letter's place in what another heard goes up along what this one heard.
        let logs: Vec<_> = members.iter().collect();
        for (nth, (bot, log)) in logs.iter().enumerate() {
            let places: BTreeMap<usize, usize> =
                log.iter().enumerate().map(|(place, &number)| (number, place)).collect();
            for (other, theirs) in &logs[nth + 1..] {
                let common: Vec<usize> =
                    theirs.iter().filter_map(|number| places.get(number).copied()).collect();
                if !common.is_sorted() {
                    wrong.push(format!("mail: {bot} and {other} differ in group {group}'s order"));
                }
            }
        }
    }
    wrong
}
