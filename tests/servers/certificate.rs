//! A certificate authority of one server, and that server's certificate, made by openssl, which
//! comes with the packages of both servers. P-256, two days long.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::must;

const CURVE: [&str; 5] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/// Makes `ca.pem`, `server.key`, `server.pem` and `both.pem` (certificate and key) in the folder.
pub(super) fn make(folder: &Path, domain: &str) {
    let openssl = || {
        let mut openssl = Command::new("openssl");
        openssl.current_dir(folder);
        openssl
    };
    must(
        openssl()
            .args(["req", "-x509", "-days", "2", "-subj", "/CN=densebots tests"])
            .args(CURVE)
            .args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"])
            .args(["-keyout", "ca.key", "-out", "ca.pem"]),
    );
    must(openssl().args(["req", "-subj", &format!("/CN={domain}")]).args(CURVE).args([
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ]));
    let names = format!("subjectAltName=DNS:{domain},DNS:anonymous.{domain},DNS:muc.{domain}\n");
    let usage = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n";
    fs::write(folder.join("extensions"), names + usage).expect("the folder is ours");
    must(
        openssl()
            .args(["x509", "-req", "-days", "2", "-in", "server.csr", "-out", "server.pem"])
            .args(["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
            .args(["-extfile", "extensions"]),
    );
    let read = |name| fs::read_to_string(folder.join(name)).expect("openssl made it");
    let both = read("server.pem") + &read("server.key");
    fs::write(folder.join("both.pem"), both).expect("the folder is ours");
}
