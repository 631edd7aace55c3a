//! EST against a server that we did not write: libest's. It puts off first certificates only, never a renewal, so the
//! waiting answer comes from a small server of the test's own, which lets OpenSSL issue.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use obnova_testkit::free_port;

use crate::stage::{Killed, has_softhsm, skip};
use crate::token::{Desk, shell, told};

fn server() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/judges/bin/estserver");
    if !path.exists() {
        skip("estserver of libest");
        return None;
    }
    Some(path)
}

/// A token with a commercial certificate of an authority that libest's server plays.
fn desk() -> Desk {
    let desk = Desk::new(&["Token"], "");
    let script = r#"
cat > ca.cnf <<X
[ca]
default_ca = CA
[CA]
dir = $PWD
database = $PWD/index.txt
new_certs_dir = $PWD/newcerts
serial = $PWD/serial
certificate = $PWD/ca.pem
private_key = $PWD/ca.key
default_md = sha256
default_days = 385
policy = any
x509_extensions = person
copy_extensions = none
unique_subject = no
name_opt = ca_default
cert_opt = ca_default
[any]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = d
x509_extensions = root
prompt = no
[d]
CN = EST DEMO CA
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
subjectAltName = IP:127.0.0.1
[person]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
X
mkdir newcerts; touch index.txt; echo 1000 > serial
exec 2>/dev/null
openssl req -config ca.cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 3650
openssl req -new -newkey rsa:2048 -nodes -keyout srv.key -subj /CN=127.0.0.1 -config ca.cnf -out srv.csr
openssl x509 -req -in srv.csr -CA ca.pem -CAkey ca.key -set_serial 2 -days 300 -extfile ca.cnf -extensions server -out srv.pem
openssl req -new -newkey rsa:2048 -nodes -keyout old.key -subj '/C=CZ/O=DEMO/CN=Jana Dvorakova' -config ca.cnf -out old.csr
openssl x509 -req -in old.csr -CA ca.pem -CAkey ca.key -set_serial 4711 -days 30 -extfile ca.cnf -extensions person -out old.pem
openssl pkcs12 -export -inkey old.key -in old.pem -name old -passout 'pass:Heslo 1' -out old.p12
"#;
    shell(desk.bench.path("").as_path(), script);
    desk.secret("file-password", "Heslo 1");
    let (file, password) = (desk.file("old.p12"), desk.file("file-password"));
    desk.ask(&["import", &file, "--store", "Token", "--file-password-file", &password]);
    desk
}

fn start(desk: &Desk, tool: &Path, port: u16) -> Killed {
    let log = std::fs::File::create(desk.bench.path("est.log")).unwrap();
    let child = Command::new(tool)
        .args(["-p", &port.to_string(), "-c", "srv.pem", "-k", "srv.key", "-r", "DEMO", "-n", "-v"])
        .current_dir(desk.bench.path(""))
        .envs([("EST_TRUSTED_CERTS", "ca.pem"), ("EST_CACERTS_RESP", "ca.pem"), ("EST_OPENSSL_CACONFIG", "ca.cnf")])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let killed = Killed(child);
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return killed;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{}", std::fs::read_to_string(desk.bench.path("est.log")).unwrap_or_default());
}

#[test]
fn a_token_certificate_is_renewed_by_est() {
    let Some(tool) = server().filter(|_| has_softhsm()) else { return };
    let desk = desk();
    let port = free_port().unwrap();
    let address = format!("https://127.0.0.1:{port}/.well-known/est");
    let anchor = desk.file("ca.pem");
    let renew = ["renew", "4711", "--est", &address, "--anchor", &anchor];
    desk.refused(&["renew", "4711", "--est", "http://127.0.0.1/est", "--anchor", &anchor], "est-needs-https");
    // Away, then there: the same key asks again.
    desk.refused(&renew, "authority-unreachable");
    let server = start(&desk, &tool, port);
    let output = desk.run(&["resume"]);
    assert!(output.status.success(), "{}", told(&output));
    let listed = desk.ask(&["list"]);
    let certificates = listed["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 2, "{listed}");
    let successor = certificates.iter().find(|view| view["decimal"] == "4096").unwrap();
    assert!(successor["days_left"].as_i64().unwrap() > 380, "{listed}");
    desk.ask(&["prove", "4096"]);
    assert_eq!(desk.bench.calls().iter().filter(|call| *call == "C_GenerateKeyPair").count(), 1, "one key");
    drop(server);
}

/// Answers 202 twice, and refuses or issues then.
const SLOW_SERVER: &str = r#"
import base64, http.server, os, ssl, subprocess, sys
asked = 0
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body=b'', headers=()):
        self.send_response(status)
        for name, value in headers: self.send_header(name, value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(404)
    def do_POST(self):
        global asked
        asked += 1
        body = self.rfile.read(int(self.headers['Content-Length']))
        if self.path != '/est/simplereenroll' or self.headers['Content-Type'] != 'application/pkcs10':
            return self.answer(400)
        if open('request.b64', 'ab').tell() and open('request.b64', 'rb').read() != body:
            return self.answer(400, b'another request')
        open('request.b64', 'wb').write(body)
        if asked <= 2:
            return self.answer(202, b'', [('Retry-After', '3600')])
        if os.path.exists('refuse'):
            return self.answer(403, b'contract has ended')
        open('request.der', 'wb').write(base64.b64decode(body))
        run = lambda *a: subprocess.run(a, check=True, stderr=subprocess.DEVNULL)
        run('openssl', 'x509', '-req', '-inform', 'DER', '-in', 'request.der', '-CA', 'ca.pem', '-CAkey', 'ca.key',
            '-set_serial', '4096', '-days', '385', '-extfile', 'ca.cnf', '-extensions', 'person', '-out', 'new.pem')
        run('openssl', 'crl2pkcs7', '-nocrl', '-certfile', 'new.pem', '-outform', 'DER', '-out', 'new.p7b')
        self.answer(200, base64.b64encode(open('new.p7b', 'rb').read()), [('Content-Type', 'application/pkcs7-mime')])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('srv.pem', 'srv.key')
context.load_verify_locations('ca.pem')
context.verify_mode = ssl.CERT_REQUIRED
server = http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

fn slow(desk: &Desk, port: u16) -> Killed {
    std::fs::write(desk.bench.path("slow.py"), SLOW_SERVER).unwrap();
    let child = Command::new("python3")
        .args(["slow.py", &port.to_string()])
        .current_dir(desk.bench.path(""))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let killed = Killed(child);
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return killed;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("python3 does not serve");
}

#[test]
fn a_server_that_puts_off_is_asked_again_with_the_same_request() {
    if !has_softhsm() {
        return;
    }
    for refuses in [false, true] {
        let desk = desk();
        let port = free_port().unwrap();
        let address = format!("https://127.0.0.1:{port}/est");
        let anchor = desk.file("ca.pem");
        let server = slow(&desk, port);
        let output = desk.run(&["renew", "4711", "--est", &address, "--anchor", &anchor, "--json"]);
        assert_eq!(output.status.code(), Some(3), "{}", told(&output));
        let waiting: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(waiting["check_after"], 3600, "{waiting}");
        if refuses {
            std::fs::write(desk.bench.path("refuse"), "").unwrap();
        }
        let output = desk.run(&["resume"]);
        if refuses {
            assert!(told(&output).contains("contract has ended"), "in the server's words: {}", told(&output));
            desk.ask(&["prove", "4711"]);
        } else {
            assert!(output.status.success(), "{}", told(&output));
            desk.ask(&["prove", "4096"]);
        }
        assert_eq!(desk.bench.calls().iter().filter(|call| *call == "C_GenerateKeyPair").count(), 1, "one key");
        drop(server);
    }
}
