//! `line.*`: lines of text over TCP or TLS.

use densebots_engine::{BotId, Ctx, Plan, Scenario};
use densebots_protocols::Session;
use densebots_protocols::line::{Framing, Line};

use super::{
    Action, Answer, Argument, Begun, Described, Doing, EventKind, Key, Lexicon, Standing, Told,
    Vocabulary, described,
};
use crate::template::Heard;
use crate::{SettingError, Settings};

/// Bytes of a line, both ways.
const LINE_MAX: u32 = 65_536;

const TEXT: Argument = Argument::text("text", None, "the line, without its end");

const ANSWER: Argument =
    Argument::text("answer", Some(""), "the line that answers it; the same line, unless given");

const ACTIONS: [Action<Lines>; 3] = [
    Action::plain(
        Described {
            name: "line.send",
            about: "sends a line; over at once, fails if the text has a line feed in it",
            arguments: &[TEXT],
            op: None,
        },
        |doing| Begun::Over(send(doing)),
    ),
    Action::plain(
        Described {
            name: "line.ask",
            about: "sends a line and waits for the one that answers it",
            arguments: &[TEXT, ANSWER],
            op: Some("line.ask"),
        },
        |doing| match (send(doing), doing.given.text(1)) {
            (false, _) => Begun::Over(false),
            (true, "") => Begun::Waits(key(doing.given.text(0))),
            (true, answer) => Begun::Waits(key(answer)),
        },
    ),
    Action::plain(
        Described {
            name: "line.expect",
            about: "waits until exactly this line comes; `wait_for` looks at parts of lines",
            arguments: &[TEXT],
            op: Some("line.expect"),
        },
        |doing| Begun::Waits(key(doing.given.text(0))),
    ),
];

const DESCRIBED: [Described; ACTIONS.len()] = described(&ACTIONS);

/// `line.*`, for people and for whoever reads files.
pub(crate) static LEXICON: Lexicon = Lexicon {
    protocol: "line",
    actions: &DESCRIBED,
    events: &[EventKind { name: "line.heard", about: "a line has come", fields: &["text"] }],
    parameters: &[],
    ops: &[],
};

/// What all bots share: nothing.
pub(crate) struct Lines;

/// Sends the first argument.
fn send(doing: &mut Doing<'_, Lines>) -> bool {
    doing.session.send(doing.given.text(0).as_bytes(), doing.out).is_ok()
}

fn key(line: impl AsRef<[u8]>) -> Key {
    Key::of(0, line)
}

impl Vocabulary for Lines {
    type Session = Line;
    type Stay = ();
    const LEXICON: &'static Lexicon = &LEXICON;
    const ACTIONS: &'static [Action<Lines>] = &ACTIONS;

    fn of(_: &Settings, _: &Plan) -> Result<Lines, SettingError> {
        Ok(Lines)
    }

    fn session(&self, _: BotId, (): &mut ()) -> Line {
        Line::new(Framing::lines(LINE_MAX))
    }

    fn opened<S>(&self, (): &mut (), ctx: &mut Ctx<'_, S>) -> Standing
    where
        S: Scenario<Session = Line, Mail = u32>,
    {
        ctx.ready();
        Standing::Online
    }

    fn hear<'e, S>(
        &self,
        (): &mut (),
        line: <Line as Session>::Event<'e>,
        wanted: &[Option<u8>],
        _: &mut Ctx<'_, S>,
    ) -> Told<'e>
    where
        S: Scenario<Session = Line, Mail = u32>,
    {
        let heard = wanted[0].map(|_| {
            let mut heard = Heard::default();
            heard.fields[0] = String::from_utf8_lossy(line);
            heard
        });
        let answer = Some(Answer { key: key(line), ok: true });
        Told { standing: Standing::Same, answer, heard }
    }
}
