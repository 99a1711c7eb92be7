//! Features that a service says to one user after another.

use super::*;

/// All users of one service, which remembers what it said.
fn user(service: &Arc<Service>) -> Xmpp {
    Xmpp::new(Account { service: Arc::clone(service), ..juliet(self::service(Tls::Off)) })
}

fn offer(mechanism: &str) -> String {
    let mechanisms = "mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
    format!(
        "S <stream:features><{mechanisms}><mechanism>{mechanism}</mechanism></mechanisms>\
         </stream:features>"
    )
}

/// What comes of these features, said to one user more.
fn answer(service: &Arc<Service>, features: &str) -> String {
    let dialogue = lines(&script(&format!("C OURS\nS HEADER\n{features}")));
    let log = play(user(service), &dialogue, Cut::Whole);
    assert_eq!(log[..dialogue.len()], dialogue);
    log[dialogue.len()..].join("\n")
}

#[test]
fn users_log_in_one_after_another() {
    let service = Arc::new(service(Tls::Off));
    for _ in 0..3 {
        check(|| user(&service), &script(transcripts::PLAIN));
    }
}

#[test]
fn what_is_said_for_the_first_time_is_read_however_much_is_known() {
    let service = Arc::new(service(Tls::Off));
    for nth in 0..9 {
        let plain = answer(&service, &offer(&format!("X-{nth}</mechanism><mechanism>PLAIN")));
        assert!(plain.contains("mechanism='PLAIN'"), "{plain}");
        let scram = answer(&service, &offer("SCRAM-SHA-1"));
        assert!(scram.contains("mechanism='SCRAM-SHA-1'"), "{scram}");
        let nothing = answer(&service, &offer(&format!("X-{nth}")));
        assert!(nothing.starts_with("X no login mechanism that can be used"), "{nothing}");
    }
}

#[test]
fn what_breaks_a_rule_breaks_it_for_everybody() {
    let service = Arc::new(service(Tls::Off));
    let wants = "S <stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/>\
                 </starttls></stream:features>";
    let torn = offer("PLAIN").replace("</mechanism>", "</mechanisn>");
    let long = offer(&"X".repeat(5000));
    for _ in 0..3 {
        assert_eq!(answer(&service, wants), "X a demand for TLS, which is off");
        assert_eq!(answer(&service, &torn), "X malformed XML (not-well-formed)");
        assert!(answer(&service, &long).starts_with("X no login mechanism that can be used"));
    }
}
