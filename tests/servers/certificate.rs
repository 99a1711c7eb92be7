//! A certificate authority of one server, and that server's certificate, made by openssl, which
//! comes with the packages of both servers. P-256, two days long.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::must;

const CURVE: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes `ca.pem`, `server.key`, `server.pem` and `both.pem` (certificate and key) in the folder.
pub(super) fn make(folder: &Path, domain: &str) {
    must(
        openssl(folder)
            .args(["req", "-x509", "-days", "2", "-subj", "/CN=densebots tests"])
            .args(CURVE)
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
            .args(["-keyout", "ca.key", "-out", "ca.pem"]),
    );
    let names = format!("DNS:{domain},DNS:anonymous.{domain},DNS:muc.{domain}");
    let (certificate, key) = sign(folder, "server", domain, &names, "serverAuth");
    fs::write(folder.join("both.pem"), certificate + &key).expect("the folder is ours");
}

/// The certificate and the key of the user with this bare address (XEP-0178 section 2).
pub(super) fn of_user(folder: &Path, address: &str) -> (String, String) {
    let names = format!("otherName:1.3.6.1.5.5.7.8.5;UTF8:{address}");
    sign(folder, &format!("user-{address}"), address, &names, "clientAuth")
}

fn sign(folder: &Path, file: &str, name: &str, names: &str, usage: &str) -> (String, String) {
    let [key, request, extensions, certificate] =
        ["key", "csr", "extensions", "pem"].map(|ending| format!("{file}.{ending}"));
    must(
        openssl(folder)
            .args(["req", "-subj", &format!("/CN={name}")])
            .args(CURVE)
            .args(["-keyout", &key, "-out", &request]),
    );
    let written = format!(
        "subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage={usage}\n"
    );
    fs::write(folder.join(&extensions), written).expect("the folder is ours");
    must(
        openssl(folder)
            .args(["x509", "-req", "-days", "2", "-in", &request, "-out", &certificate])
            .args(["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
            .args(["-extfile", &extensions]),
    );
    let read = |name| fs::read_to_string(folder.join(name)).expect("openssl made it");
    (read(certificate), read(key))
}

fn openssl(folder: &Path) -> Command {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder);
    openssl
}
