//! What bots say when nobody tells them what: 2 to 121 characters, as people chat.

use crate::{SettingError, Settings};

/// Bytes of a phrase: more than this does not fit a stanza that every server takes (RFC 6120
/// section 13.12 asks for 10,000 bytes of stanza).
const PHRASE_MAX: usize = 8_000;

/// The built-in phrases.
pub(crate) const PHRASES: [&str; 32] = [
    "hi",
    "Hello everybody!",
    "Good morning from the far end of the corridor.",
    "Anybody here who slept well?",
    "I brought tea. The biscuits did not survive the stairs.",
    "brb",
    "The lift is out of order again, so I know every step of this building by name now.",
    "Does somebody remember where we put the spare key?",
    "ok",
    "It rains here since Tuesday. The tomatoes are delighted, the washing is not.",
    "I will be in the other room if you need me.",
    "Three people asked me the same question today, and I gave three answers.",
    "That is a good point.",
    "My train was early. I did not know what to do with the time and stood there in awe.",
    "Who turned the music up?",
    "The new coffee is strong enough to read the newspaper to you.",
    "thanks!",
    "I have counted the chairs twice, and there is always one more than people.",
    "Let us meet at noon, then.",
    "A neighbour's cat has moved in with us. Nobody has asked us, the cat least of all.",
    "Did you hear that as well?",
    "There are days on which even the stairs go up both ways.",
    "I am reading a book about patience, but it is too long.",
    "See you tomorrow.",
    "My umbrella and I have decided to see other people, mostly because it stayed on the bus.",
    "no idea",
    "If somebody finds a blue glove with a hole in the thumb: it is the good one, please keep it.",
    "Whoever wrote this timetable has never taken a bus.",
    "I can hear the sea from here, or the motorway. On Sundays I prefer not to know.",
    "That took longer than expected, as expected.",
    "We should do this more often, all of us, in a room with a bigger table and a smaller clock.",
    "Good night, and mind the step & the <door>.",
];

/// The phrases of the file that is set as `phrases`, or the built-in ones.
pub(crate) fn read(settings: &Settings) -> Result<Vec<Box<str>>, SettingError> {
    let file = settings.text("phrases");
    if file.is_empty() {
        return Ok(PHRASES.map(Box::from).into());
    }
    let text =
        std::fs::read_to_string(file).map_err(|why| settings.wrong("phrases", why.to_string()))?;
    let lines = || text.lines().map(str::trim);
    if let Some(nth) = lines().position(|phrase| phrase.len() > PHRASE_MAX) {
        let why = format!("{file}:{}: this is longer than {PHRASE_MAX} bytes", nth + 1);
        return Err(settings.wrong("phrases", why));
    }
    let phrases: Vec<Box<str>> = lines().filter(|line| !line.is_empty()).map(Box::from).collect();
    if phrases.is_empty() {
        return Err(settings.fault("phrases", "a file with at least one phrase"));
    }
    Ok(phrases)
}
