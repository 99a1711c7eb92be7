//! What is wanted of logins: parameters, and the files that they name.

use densebots_engine::Plan;
use densebots_protocols::xmpp::Tls;
use densebots_protocols::xmpp::sasl::{Choice, prepared};

use super::Who;
use crate::accounts::{Accounts, Pattern, check_password};
use crate::{SettingError, Settings};

/// Bytes of a domain (RFC 7622, section 3.2).
const DOMAIN_BYTES_MAX: usize = 1023;

/// Whether it can be the domain of an address (RFC 7622, section 3.2), which is a name or an IP
/// address: nothing in it ends the domain or has to be written otherwise.
pub fn is_domain(text: &str) -> bool {
    let forbidden = |c: char| "@/'\"<>&".contains(c) || c == ' ';
    text.len() <= DOMAIN_BYTES_MAX && !text.contains(forbidden) && prepared(text).is_ok()
}

pub(super) fn mechanism(settings: &Settings) -> Result<(Choice, Who), SettingError> {
    let who = match settings.text("mechanism") {
        "strongest" => return Ok((Choice::Strongest, Who::Account)),
        "ANONYMOUS" => Who::Nobody,
        "EXTERNAL" => Who::Certificate,
        _ => Who::Account,
    };
    let known = settings.text("mechanism").parse();
    let choice = known.map(Choice::Exactly).map_err(|_| {
        let wanted = "strongest, PLAIN, ANONYMOUS, EXTERNAL or SCRAM-SHA-1, -256, -512 (-PLUS)";
        settings.fault("mechanism", wanted)
    })?;
    Ok((choice, who))
}

pub(super) fn tls(settings: &Settings, plan: &Plan) -> Result<Tls, SettingError> {
    let optional = match settings.text("starttls") {
        "required" => false,
        "optional" => true,
        _ => return Err(settings.fault("starttls", "required or optional")),
    };
    Ok(match &plan.tls {
        None => Tls::Off,
        Some(tls) if tls.direct => Tls::Direct,
        Some(_) if optional => Tls::IfOffered,
        Some(_) => Tls::Required,
    })
}

/// Whose accounts: those of a list, or by pattern.
pub(super) fn accounts(settings: &Settings, plan: &Plan) -> Result<Accounts, SettingError> {
    let list = settings.text("accounts");
    if !list.is_empty() {
        let wrong = |why: String| settings.wrong("accounts", why);
        let bytes = std::fs::read(list).map_err(|why| wrong(why.to_string()))?;
        let accounts = Accounts::from_csv(list, &bytes).map_err(|why| wrong(why.to_string()))?;
        accounts
            .suffice(plan.first_id, plan.load.bots_max())
            .map_err(|why| wrong(why.to_string()))?;
        return Ok(accounts);
    }
    let names = settings.text("names");
    let wrong = |why: String| settings.wrong("names", why);
    let password = match settings.text("password-file") {
        "" => Pattern::of(names).map_err(|why| wrong(why.to_string()))?,
        file => password(settings, "password-file", file)?,
    };
    Accounts::by_pattern(names, password).map_err(|why| wrong(why.to_string()))
}

/// The password of all, by a pattern that is the one line of the file that this parameter names. No
/// fault shows it.
pub(super) fn password(
    settings: &Settings,
    parameter: &'static str,
    file: &str,
) -> Result<Pattern, SettingError> {
    let wrong = |why: String| settings.wrong(parameter, why);
    let text = std::fs::read_to_string(file).map_err(|why| wrong(why.to_string()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.contains('\n') {
        return Err(wrong(format!("{file}:2: a password is one line")));
    }
    let pattern =
        Pattern::of(text).map_err(|why| wrong(format!("{file}:1:{}: {}", why.column, why.why)))?;
    check_password(&pattern.fill(u32::MAX)).map_err(|why| wrong(format!("{file}:1: {why}")))?;
    Ok(pattern)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_nothing_that_would_end_it() {
        for domain in ["localhost", "chat.example", "[::1]", "192.0.2.1", "münchen.example"] {
            assert!(is_domain(domain), "{domain}");
        }
        let long = "x".repeat(1024);
        for text in ["", "@@", "a<b", "a b", "a/b", "a@b", "a\nb", "a\u{a0}b", &long] {
            assert!(!is_domain(text), "{text}");
        }
    }
}
