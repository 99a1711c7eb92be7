//! XMPP and TLS as people ask for them: whom a run believes, what it says when it does not, and
//! that nothing is lost on the way.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{Served, report, run, served};

/// The domain of the service in these tests.
const DOMAIN: &str = "chat.example";

/// An authority in a folder of its own.
pub(crate) struct Authority {
    folder: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("ca.pem"), issuer.pem()).expect("the folder is ours");
        Authority { folder, issuer }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The words with which `serve` shows a certificate for this name, good until this year ends.
    pub(crate) fn shows(&self, name: &str, until: i32) -> String {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let (cert, private) = (self.file("cert.pem"), self.file("key.pem"));
        fs::write(&cert, certificate.pem()).expect("the folder is ours");
        fs::write(&private, key.serialize_pem()).expect("the folder is ours");
        format!("--cert {} --key {}", cert.display(), private.display())
    }

    fn ca(&self) -> String {
        format!("--ca-file {}", self.file("ca.pem").display())
    }
}

/// Jumpers that talk for two seconds.
const JUMPERS: &str = "run jumper --for 2s --set pause=100ms..300ms";

/// Everybody was there, over so many handshakes, and every message came to everybody.
fn complete(report: &Value, bots: u64, handshakes: u64) {
    assert_eq!(report["bots"]["peak_online"], bots, "{}", report["lost"]);
    assert_eq!(report["lost"], Value::Array(vec![]));
    assert_eq!(report["tls"]["handshakes"], handshakes, "{}", report["tls"]);
    let told = &report["delivery"];
    assert!(told["delivered"].as_u64() > Some(0), "nobody spoke: {told}");
    for class in ["missing", "bounced", "unresolved", "duplicated", "reordered"] {
        assert_eq!(told[class], 0, "{class} in {told}");
    }
    let whole = told["delivered"].as_u64().zip(told["excused"].as_u64()).map(|(a, b)| a + b);
    assert_eq!(whole, told["expected"].as_u64(), "{told}");
}

#[test]
fn jumpers_talk_to_the_embedded_target_however_it_is_encrypted() {
    for (flags, handshakes, tier) in [
        ("", 0, ""),
        ("--tls", 50, "dense"),
        ("--tls direct", 50, "dense"),
        ("--tls optional --tls-tier kept", 50, "kept"),
    ] {
        let (ended, report) = report(&format!("{JUMPERS} --conns 50 {flags}"));
        let ended = ended.with(0);
        complete(&report, 50, handshakes);
        if handshakes > 0 {
            assert_eq!(report["tls"][tier], handshakes, "{flags}: {}", report["tls"]);
            assert_eq!(report["tls"]["verified"], true);
            assert!(ended.out.contains("50 handshakes, dense "), "{}", ended.out);
        } else {
            assert_eq!(report["tls"]["verified"], Value::Null);
        }
        assert!(!ended.out.contains(" 0   xmpp.refused"), "zeros are no news: {}", ended.out);
    }
}

/// Of a login over TLS each phase is timed, whenever TLS begins; and the key of SCRAM beside it.
#[test]
fn the_phases_of_a_login_are_timed() {
    for flags in ["--tls", "--tls direct"] {
        let words = format!("{JUMPERS} --conns 10 {flags} --set mechanism=SCRAM-SHA-256");
        let (ended, report) = report(&words);
        let ended = ended.with(0);
        let p50 = |name: &str| {
            let name = format!("{name}, outside ");
            let row = ended.out.lines().find_map(|line| line.strip_prefix(&name));
            let mut cells = row.unwrap_or_default().split_whitespace();
            let number: f64 = cells.next().and_then(|cell| cell.parse().ok()).unwrap_or_default();
            if cells.next() == Some("ms") { number * 1000.0 } else { number }
        };
        let begun = |name: &str| {
            let op = report["ops"].as_array().expect("a list").iter().find(|op| op["name"] == name);
            op.and_then(|op| op["outside_window"].as_u64()).unwrap_or_default()
        };
        for name in ["xmpp.login", "xmpp.tls", "xmpp.pbkdf2"] {
            assert_eq!(begun(name), 10, "{flags}: {name}");
        }
        // A handshake verifies signatures; 4,096 rounds are half a millisecond.
        assert!(p50("xmpp.tls") > 100.0, "{flags}: {} µs", p50("xmpp.tls"));
        assert!(p50("xmpp.pbkdf2") > 100.0, "{flags}: {} µs", p50("xmpp.pbkdf2"));
        let share = report["tls"]["derivation_share"].as_f64().expect("keys were derived");
        assert!(share > 0.01 && share <= 1.0, "{flags}: {share}");
        assert!(ended.out.contains(" % of the time of logins"), "{}", ended.out);
    }
}

#[test]
fn lines_are_encrypted_from_the_first_byte() {
    let (ended, report) = report("run echo --conns 20 --for 1s --set pace=100ms --tls");
    ended.with(0);
    assert_eq!(report["tls"]["dense"], 20);
    assert!(report["ops"][0]["ok"].as_u64() > Some(0));
    let target = served("echo --tls");
    let Served { address, pin, .. } = &target;
    run(&format!("--target lines://{address} --pin {pin} --conns 5 --for 1s")).with(0);
}

/// A run of a few bots at the service; its report.
fn visit(target: &Served, flags: &str) -> Value {
    let words = format!(
        "run jumper --target xmpp://{DOMAIN} --via {} --conns 5 --for 1s --drain 1s --give-up 1 \
         {flags}",
        target.address
    );
    let (ended, report) = report(&words);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    let verified = report["tls"]["verified"].as_bool();
    assert_eq!(ended.out.contains("TLS not verified"), verified == Some(false), "{}", ended.out);
    report
}

/// Nobody gets in, and this is why.
fn refused(report: &Value, condition: &str) {
    assert_eq!(report["bots"]["peak_online"], 0);
    let lost = report["lost"].as_array().expect("a list");
    assert!(lost.iter().any(|loss| loss["condition"] == condition), "{}", report["lost"]);
}

#[test]
fn certificates_are_believed_for_their_authority_their_name_and_their_date() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let good = served(&format!("xmpp --domain {DOMAIN} {}", ours.shows(DOMAIN, 2100)));
    let online = |report: &Value| report["bots"]["peak_online"] == 5;
    assert!(online(&visit(&good, &format!("--tls {}", ours.ca()))));
    assert!(online(&visit(&good, &format!("--tls --pin {}", good.pin))));
    assert!(online(&visit(&good, "--tls --insecure")));
    refused(&visit(&good, &format!("--tls {}", other.ca())), "certificate of an unknown issuer");
    let pin = format!("--tls --pin sha256:{}", "00".repeat(32));
    refused(&visit(&good, &pin), "certificate not the pinned one");
    let named = served(&format!("xmpp --domain {DOMAIN} {}", ours.shows("else.example", 2100)));
    refused(&visit(&named, &format!("--tls {}", ours.ca())), "certificate for another name");
    let old = served(&format!("xmpp --domain {DOMAIN} {}", ours.shows(DOMAIN, 2020)));
    refused(&visit(&old, &format!("--tls {}", ours.ca())), "certificate expired");
    assert!(online(&visit(&old, "--tls --insecure")));
}

#[test]
fn a_list_of_accounts_admits_nobody_else() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let list = folder.path().join("accounts.csv");
    fs::write(&list, "name,password\nbot1,one\nbot2,two\n").expect("the folder is ours");
    let target = served(&format!("xmpp --domain {DOMAIN} --accounts {}", list.display()));
    let visit = |conns: u32, flags: &str| {
        let words = format!(
            "run jumper --target xmpp://{DOMAIN} --via {} --conns {conns} --for 1s --drain 1s \
             --give-up 1 {flags}",
            target.address
        );
        report(&words).1["bots"]["peak_online"].as_u64()
    };
    assert_eq!(visit(2, &format!("--set accounts={}", list.display())), Some(2));
    assert_eq!(visit(2, ""), Some(0), "their names are not their passwords");
}

#[test]
fn a_key_log_has_the_secrets_of_every_handshake() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("keys");
    run(&format!("--conns 7 --for 1s --tls --tls-key-log {}", path.display())).with(0);
    let text = fs::read_to_string(&path).expect("was written");
    let secrets = text.lines().filter(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 "));
    assert_eq!(secrets.count(), 7, "{text}");
}

#[test]
fn try_shows_a_login_without_its_secrets() {
    let target = served(&format!("xmpp --domain {DOMAIN} --tls"));
    let Served { address, pin, .. } = &target;
    // "\0bot1\0bot1" in base64.
    let secret = "AGJvdDEAYm90MQ==";
    for way in ["--tls starttls", "--tls optional"] {
        let words = format!("try xmpp://{DOMAIN} --via {address} --pin {pin} {way} --for 1s");
        let ended = run(&words).with(0);
        for part in ["mechanism='PLAIN'", "[hidden]</auth>", "<proceed", "xmpp.join:", "passed"] {
            assert!(ended.out.contains(part), "no {part} in {}", ended.out);
        }
        assert!(!ended.out.contains(secret), "{}", ended.out);
    }
    let traced = run(&format!(
        "run jumper --target xmpp://{DOMAIN} --via {address} --tls --pin {pin} --conns 2 --for 1s \
         --trace-bot 1"
    ));
    let traced = traced.with(0);
    assert!(traced.err.contains("[hidden]</auth>"), "{}", traced.err);
    assert!(!traced.err.contains(secret), "{}", traced.err);
}

/// Refused before anything starts, with all of this in its words.
fn fault(words: &str, said: &[&str]) {
    let ended = run(words).with(2);
    for part in said {
        assert!(ended.err.contains(part), "`{words}` said: {}", ended.err);
    }
}

#[test]
fn schemes_have_to_fit_the_scenario() {
    fault("run echo --target xmpp://127.0.0.1", &["`echo`", "line://HOST:PORT", "jumper"]);
    fault("run jumper --target line://127.0.0.1:1", &["`jumper`", "xmpp://DOMAIN"]);
    fault("run jumper --target xmp://127.0.0.1", &["did you mean `xmpp`"]);
    fault("run jumper --target xmpp://a.example,xmpp://b.example --via 127.0.0.1:1", &["--via"]);
    fault(
        "run jumper --target xmpps://a.example --tls off --via 127.0.0.1:1",
        &["--tls off", "xmpp://"],
    );
    fault("run echo --tls starttls", &["--tls direct"]);
    fault("run jumper --target xmpp://192.0.2.1", &["--allow 192.0.2.1"]);
    fault("serve echo --domain chat.example", &["--domain", "serve xmpp"]);
}

#[test]
fn what_tls_needs_is_named_with_its_flag_and_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    let file = |name: &str, text: &str| -> PathBuf {
        let mut file = fs::File::create(path(name)).expect("the folder is ours");
        file.write_all(text.as_bytes()).expect("the folder is ours");
        path(name)
    };
    let at = "run jumper --target xmpp://127.0.0.1:1";
    let shown = |path: &Path| path.display().to_string();
    let empty = shown(&file("empty.pem", ""));
    let authority = Authority::new("alone");
    let no_key = shown(&authority.file("ca.pem"));
    fault(
        &format!("{at} --tls --ca-file {}", shown(&path("none"))),
        &["--ca-file", "none", "No such"],
    );
    fault(&format!("{at} --tls --ca-file {empty}"), &["--ca-file", "empty.pem", "PEM"]);
    let text = shown(&file("text.pem", "no certificate"));
    let broken = "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n";
    let broken = shown(&file("broken.pem", broken));
    for (path, name) in [(&text, "text.pem: "), (&broken, "broken.pem: ")] {
        fault(&format!("{at} --tls --ca-file {path}"), &["--ca-file", name, "give certificates"]);
    }
    fault(
        &format!("{at} --tls --insecure --client-cert {no_key}"),
        &["--client-cert", "private key"],
    );
    fault(&format!("{at} --tls --pin sha256:12"), &["--pin sha256:12", "64"]);
    fault(&format!("{at} --tls --insecure --pin sha256:12"), &["--insecure", "--pin"]);
    fault(&format!("{at} --ca-file {no_key}"), &["--ca-file", "add --tls"]);
    fault("run jumper --tls --insecure", &["--insecure", "embedded"]);
    let bound = "--set mechanism=SCRAM-SHA-256-PLUS";
    fault(&format!("run jumper {bound}"), &["SCRAM-SHA-256-PLUS", "add --tls"]);
    fault(&format!("{at} {bound}"), &["SCRAM-SHA-256-PLUS", "add --tls"]);
    let external = "--set mechanism=EXTERNAL";
    fault(&format!("{at} {external}"), &["EXTERNAL", "add --tls and --client-cert"]);
    fault(&format!("{at} {external} --tls --insecure"), &["EXTERNAL", "add --client-cert"]);
    fault(&format!("{at} --late 0s"), &["--late"]);
    fault(&format!("serve xmpp --cert {no_key} --key {empty}"), &["--key", "empty.pem"]);
}

#[test]
fn a_service_that_wants_tls_is_told_with_the_flag_for_it() {
    let service = served("xmpp --tls");
    let at = format!("xmpp://localhost:{}", service.address.port());
    let said = "a demand for TLS, which is off";
    for words in [
        format!("run xmpp-idle --target {at} --conns 1 --for 100ms --give-up 1"),
        format!("try {at} xmpp-idle --for 100ms"),
    ] {
        let ended = run(&words).with(3);
        let told = |line: &str| line.contains(said) && line.ends_with("; add --tls");
        assert!(ended.out.lines().any(told), "`{words}` said: {}", ended.out);
    }
}
