#!/usr/bin/env python3
"""What version 0.1.0 of obnova leaves behind, made by running its own programs.

    make.py office     /tmp/obnova-fixture-010, office.tar.gz and wire/
    make.py postgres   /tmp/obnova-fixture-010-pg and postgres.tar.gz
    make.py verify     unpacks both archives to those places and lets 0.1.0 resume every home; the folders
                       that stood there are set aside and put back untouched

Paths are absolute in journals, so the folders have these names and no others. Python 3.9+, no other modules;
needs openssl, and PostgreSQL for the second archive.
"""

import argparse
import contextlib
import datetime
import http.client
import http.server
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
OFFICE = pathlib.Path("/tmp/obnova-fixture-010")
POSTGRES = pathlib.Path("/tmp/obnova-fixture-010-pg")
CLUSTER = pathlib.Path("/tmp/obnova-fixture-010-cluster")
PROGRAMS = pathlib.Path(os.environ["OBNOVA_PROGRAMS"])  # where the programs of 0.1.0 are
PIN = "123456"
PASSPHRASE = "DEMO passphrase"
AUTHORITY_PORT, IDENTITY_PORT = 41443, 41444
DAYS = 365
PLACEHOLDER = "postgres://@POSTGRES@"

# Each home of a killed renewal: the line of which certificate and station it is killed at, what the last record of
# its journal may then be, and for some what else is waited for after that line.
KILLED = {
    "found": ("qualified", "found", ("planned", "key-intent"), None),
    # The key is there, and the journal does not know it.
    "orphan": ("qualified", "found", ("key-intent",), lambda home: (home / "keys.p12.waiting").exists()),
    "keyed": ("qualified", "keyed", ("keyed",), None),
    "requested": ("qualified", "requested", ("requested", "send-intent"), None),
    "submitted": ("qualified", "submitted", ("submitted",), None),
    "issued": ("qualified", "issued", ("submitted",), None),
    "accepted": ("qualified", "accepted", ("submitted", "confirm-intent"), None),
    # The signed confirmation is about to be sent, or was sent and not answered.
    "confirming": ("qualified", "accepted", ("confirm-intent",), lambda home: any(
        b'"what":"confirm-intent"' in path.read_bytes() for path in newest(home / "journeys"))),
    "confirmed": ("qualified", "confirmed", ("confirmed", "install-intent"), None),
    "installed": ("qualified", "installed", ("installed",), None),
    "proven": ("qualified", "proven", ("proven",), None),
    "registered": ("qualified", "registered", ("rehearsed", "retire-intent"), None),
    "retired": ("qualified", "retired", ("retired", "key-intent"), None),
    "commercial-keyed": ("commercial", "keyed", ("keyed",), None),
    "commercial-issued": ("commercial", "issued", ("submitted",), None),
    "commercial-proven": ("commercial", "proven", ("proven",), None),
    "commercial-registered": ("commercial", "registered", ("rehearsed", "retire-intent"), None),
}


def newest(folder):
    return sorted(folder.glob("*.journal"))[-1:]


def tell(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def failed(output, what):
    words = output.stderr if isinstance(output.stderr, str) else output.stderr.decode()
    raise RuntimeError(f"{what}: exit {output.returncode}: {words}")


class Office:
    """A folder with an operator's part, homes, and the two programs."""

    def __init__(self, folder, host):
        self.folder, self.host, self.programs = folder, host, PROGRAMS
        self.days, self.process = 0, None
        self.rows = {}

    # The operator's part.

    def lay_out(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for sub in ("server", "homes"):
            (self.folder / sub).mkdir(parents=True)
        (self.folder / "pin").write_text(PIN)
        (self.folder / "passphrase").write_text(PASSPHRASE)

    def configure(self, listen=None, databases=("sqlite:authority.db", "sqlite:identity.db")):
        """`listen` is another loopback address where a recorder stands before the server."""
        listen = listen or self.host
        (self.folder / "server" / "obnova-server.toml").write_text(
            "# The configuration of this demonstration.\n"
            "demonstration = true\n\n"
            "[authority]\n"
            f'listen = "{listen}:{AUTHORITY_PORT}"\n'
            f'address = "{self.host}:{AUTHORITY_PORT}"\n'
            'published_at = "http://pki.demo.obnova.example.com"\n'
            f'database = "{databases[0]}"\n'
            "check_after_seconds = 1\n\n"
            "[identity]\n"
            f'listen = "{listen}:{IDENTITY_PORT}"\n'
            f'address = "{self.host}:{IDENTITY_PORT}"\n'
            'audience = "DEMO identity space"\n'
            f'database = "{databases[1]}"\n'
        )

    def environment(self, **more):
        env = {name: value for name, value in os.environ.items() if not name.startswith("OBNOVA_")}
        return {**env, "LC_ALL": "en", "LANG": "en", **more}

    def server_command(self, *arguments):
        command = [self.programs / "obnova-server", *arguments, "--dir", self.folder / "server"]
        command += ["--passphrase-file", self.folder / "passphrase"]
        if self.days:
            command += ["--demo-days-back", str(self.days)]
        return [str(part) for part in command]

    def server(self, *arguments):
        output = subprocess.run(self.server_command(*arguments), env=self.environment(), capture_output=True, text=True)
        if output.returncode:
            failed(output, f"obnova-server {' '.join(arguments)}")
        return output.stdout

    def start(self, days=None):
        self.stop()
        self.days = self.days if days is None else days
        for attempt in range(5):
            with open(f"{self.folder}.log", "a") as log:
                self.process = subprocess.Popen(self.server_command("run"), stdout=subprocess.PIPE, stderr=log,
                                                text=True, env=self.environment(OBNOVA_LOG="warn"))
            if self.process.stdout.readline().startswith("ready"):
                return
            self.process.wait()
            time.sleep(0.2 * 2**attempt)
        raise RuntimeError("the server did not start: " + pathlib.Path(f"{self.folder}.log").read_text())

    def stop(self):
        """SIGTERM, as an operator's system does."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(20)
            self.process.stdout.close()
            self.process = None

    def checkpoint(self):
        """Nothing beside the database files."""
        for name in ("authority", "identity"):
            with contextlib.closing(sqlite3.connect(self.folder / "server" / f"{name}.db")) as database:
                database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            for ending in ("-wal", "-shm"):
                assert not (self.folder / "server" / f"{name}.db{ending}").exists(), ending

    def import_rows(self, *names, **changes):
        """Imports applicants of these homes again, with changes; the file keeps what holds now for all."""
        for name in names:
            row = self.rows.setdefault(name, {
                "ico": "17651921", "organisation": "DEMO Úřad", "contract": f"DEMO-{name}", "applicant": f"DEMO-{name}",
                "given_name": "Jana", "surname": f"Dvořáková {name} DEMO"[:40],
                "email": f"{name}@demo.obnova.example.com", "debt_since": "", "cash": "no", "approval": "no",
                "language": "cs",
            })
            row.update(changes)
        rows = list(self.rows.values())
        lines = [",".join(rows[0])] + [",".join(row.values()) for row in rows]
        (self.folder / "office.csv").write_text("\n".join(lines) + "\n")
        self.server("office", "import", str(self.folder / "office.csv"))

    def requests(self, state=None):
        found = json.loads(self.server("request", "list", "--json"))
        return [request for request in found if state in (None, request["state"])]

    def approve(self, name):
        waiting = [r["id"] for r in self.requests("waiting") if r["applicant"] == f"DEMO-{name}"]
        for request in waiting:
            self.server("request", "approve", request)
        return len(waiting)

    # A home.

    def home(self, name):
        return self.folder / "homes" / name

    def make_home(self, name):
        self.home(name).mkdir()
        (self.home(name) / "obnova.toml").write_text(
            f'discover = false\nbackup = false\n\n[[store]]\nfile = "{self.home(name) / "keys.p12"}"\n'
        )

    def client_command(self, *arguments):
        command = [self.programs / "obnova", *arguments, "--pin-file", self.folder / "pin"]
        if self.days:
            command += ["--demo-days-back", str(self.days)]
        return [str(part) for part in command]

    def obnova(self, name, *arguments, expected=(0,)):
        output = subprocess.run(self.client_command(*arguments), stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, env=self.environment(OBNOVA_HOME=str(self.home(name))))
        if expected and output.returncode not in expected:
            failed(output, f"{name}: obnova {' '.join(map(str, arguments))}")
        return output

    def ask(self, name, *arguments):
        # 3: something of what is shown waits.
        return json.loads(self.obnova(name, *arguments, "--json", expected=(0, 3)).stdout)

    def invite(self, name, profile):
        file = self.home(name) / "invitation.json"
        file.write_text(self.server("invite", f"DEMO-{name}", "--profile", profile, "--json"))
        return file

    def enroll(self, name, profile, expected=(0,)):
        file = self.invite(name, profile)
        return self.obnova(name, "enroll", "--invitation", file, "--store", "keys.p12", "--key", "p256",
                           expected=expected)

    def furnish(self, name, keep=None):
        """Two certificates at once; the account comes with `bind`. `keep` is a folder for the invitations."""
        self.make_home(name)
        for profile in ("qualified", "commercial"):
            self.enroll(name, profile)
            invitation = self.home(name) / "invitation.json"
            if keep:
                shutil.copyfile(invitation, keep / f"invitation-{profile}.json")
            invitation.unlink()

    def bind(self, name):
        """An account that the commercial certificate opens."""
        self.server("account", "add", f"demo.{name}", "--name", f"Jana {self.rows[name]['surname']}", "--email",
                    self.rows[name]["email"], "--organisation", "DEMO Úřad")
        serial = self.ask(name, "show", "commercial")["decimal"]
        self.server("account", "bind", f"demo.{name}", "--issuer", "Public CA", "--serial", serial)

    def administrator(self):
        self.server("account", "add", "demo.admin", "--name", "DEMO Administrator", "--email",
                    "admin@demo.obnova.example.com", "--organisation", "DEMO Úřad", "--administrator")

    def kill_at(self, name, kind, station, until=None):
        """Runs a renewal and kills it as soon as it tells of the station, and `until` says yes about the home."""
        child = subprocess.Popen(self.client_command("renew", "--all", "--json"), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, bufsize=0,
                                 env=self.environment(OBNOVA_HOME=str(self.home(name))))
        reached = False
        told = b""
        wanted = (f'"station":"{station}"'.encode(), f'"kind":"{kind}"'.encode())
        while not reached and (more := os.read(child.stderr.fileno(), 4096)):
            told += more
            reached = any(all(part in line for part in wanted) for line in told.split(b"\n")[:-1])
        while until and not until(self.home(name)) and child.poll() is None:
            time.sleep(0.0001)
        child.kill()
        child.wait()
        child.stderr.close()
        return reached

    def journals(self, name):
        """Records of all journals, the oldest first."""
        all_of_them = []
        for path in sorted((self.home(name) / "journeys").glob("*")):
            records, octets = [], path.read_bytes()
            while len(octets) >= 36:
                length = int.from_bytes(octets[:4], "big")
                records.append(json.loads(octets[36:36 + length]))
                octets = octets[36 + length:]
            all_of_them.append(records)
        return all_of_them

    def renewal(self, name):
        """The journal of the renewal, if it was begun."""
        return next((journal for journal in self.journals(name) if len(journal[0]["items"]) == 2), None)

    def snapshot(self, name, to):
        """The databases and one home, while the server runs."""
        shutil.rmtree(to, ignore_errors=True)
        to.mkdir()
        for database in ("authority.db", "identity.db"):
            with contextlib.closing(sqlite3.connect(self.folder / "server" / database)) as source, \
                    contextlib.closing(sqlite3.connect(to / database)) as copy:
                source.backup(copy)
        shutil.copytree(self.home(name), to / "home", symlinks=True)

    def go_back(self, name, to):
        self.stop()
        self.checkpoint()
        for database in ("authority.db", "identity.db"):
            shutil.copyfile(to / database, self.folder / "server" / database)
        shutil.rmtree(self.home(name))
        shutil.copytree(to / "home", self.home(name), symlinks=True)
        self.start()

    def killed(self, name):
        """Kills one renewal, and does it again from the same state until the kill came in time."""
        kind, station, last, until = KILLED[name]
        before = pathlib.Path(f"{self.folder}.before")
        self.snapshot(name, before)
        for attempt in range(1, 13):
            reached = self.kill_at(name, kind, station, until)
            journal = self.renewal(name)
            end, item = (journal[-1]["what"], journal[-1].get("item")) if journal else (None, None)
            # After the last station of one the next certificate may have begun, but not got its key.
            at = item in (None, 0 if kind == "qualified" else 1) or (station == "retired" and end == "key-intent")
            tell(f"  {name}: attempt {attempt}, reached {reached}, last record {end} of {item}")
            if reached and at and end in last:
                shutil.rmtree(before)
                return
            self.go_back(name, before)
        raise RuntimeError(f"{name}: no kill came in time")

    def write_created(self):
        now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        (self.folder / "created").write_text(f"{now.isoformat().replace('+00:00', 'Z')}\n{int(now.timestamp())}\n")


# A recorder between client and server.

BODIES = {0: "ir", 1: "ip", 2: "cr", 3: "cp", 7: "kur", 8: "kup", 19: "pkiConf", 23: "error", 24: "certConf",
          25: "pollReq", 26: "pollRep"}


def der(octets):
    """Tag, contents and rest of the first element."""
    length, at = octets[1], 2
    if length >= 0x80:
        at += length & 0x7F
        length = int.from_bytes(octets[2:at], "big")
    return octets[0], octets[at:at + length], octets[at + length:]


def cmp_body(octets):
    """Name of the body of a CMP message (RFC 9810)."""
    _, message, _ = der(octets)
    _, _, rest = der(message)
    return BODIES.get(rest[0] & 0x1F, str(rest[0] & 0x1F))


def openssl(*arguments, given=None):
    output = subprocess.run(["openssl", *map(str, arguments)], input=given, capture_output=True)
    if output.returncode:
        failed(output, f"openssl {arguments[0]}")
    return output.stdout


def pem_blocks(text):
    blocks, lines = [], None
    for line in text.decode("ascii", "replace").splitlines():
        if line.startswith("-----BEGIN"):
            lines = []
        if lines is not None:
            lines.append(line)
        if line.startswith("-----END"):
            blocks.append("\n".join(lines) + "\n")
            lines = None
    return blocks


class Recorder:
    """Ends TLS on both ports of the office, hands every exchange on and keeps it.

    A login's client certificate cannot be handed on, so the recorder logs in with the same certificate and key,
    which it takes from the PKCS#12 files of the recorded homes.
    """

    def __init__(self, office, upstream, folder, homes):
        self.office, self.upstream, self.folder, self.homes = office, upstream, folder, homes
        self.exchanges, self.lock, self.phase = [], threading.Lock(), ""
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="obnova-recorder"))
        self.make_certificate()
        self.servers = []
        for role, port in (("authority", AUTHORITY_PORT), ("identity", IDENTITY_PORT)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.scratch / "chain.pem", self.scratch / "tls.key")
            if role == "identity":
                for name in ("root", "qualified", "commercial"):
                    context.load_verify_locations(office.folder / "server" / "certificates" / f"{name}.crt")
                context.verify_mode = ssl.CERT_OPTIONAL
            server = http.server.ThreadingHTTPServer((office.host, port), self.handler(role, port), False)
            server.daemon_threads = True
            server.allow_reuse_address = True
            server.server_bind()
            server.server_activate()
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)

    def make_certificate(self):
        """A TLS certificate under the service root, which the client knows by its pin."""
        server = self.office.folder / "server"
        key, root = self.scratch / "service.key", server / "certificates" / "service.crt"
        openssl("pkcs8", "-inform", "DER", "-in", server / "keys" / "service.key", "-passin",
                f"file:{self.office.folder / 'passphrase'}", "-out", key)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.scratch / "tls.key")
        openssl("req", "-new", "-key", self.scratch / "tls.key", "-subj", f"/CN={self.office.host}", "-out",
                self.scratch / "tls.csr")
        (self.scratch / "tls.ext").write_text(
            f"subjectAltName=IP:{self.office.host}\nextendedKeyUsage=serverAuth\nkeyUsage=critical,digitalSignature\n")
        openssl("x509", "-req", "-in", self.scratch / "tls.csr", "-CA", root, "-CAkey", key, "-days", "30",
                "-set_serial", "0x0DE0", "-extfile", self.scratch / "tls.ext", "-out", self.scratch / "tls.crt")
        key.unlink()
        (self.scratch / "chain.pem").write_bytes((self.scratch / "tls.crt").read_bytes() + root.read_bytes())

    def login(self, shown):
        """A PEM file of the certificate that the client showed, and its key."""
        wanted = ssl.DER_cert_to_PEM_cert(shown)
        public = openssl("x509", "-pubkey", "-noout", given=wanted.encode())
        for name in self.homes:
            file = self.office.home(name) / "keys.p12"
            text = openssl("pkcs12", "-in", file, "-passin", f"file:{self.office.folder / 'pin'}", "-nodes", "-nocerts")
            for block in pem_blocks(text):
                if openssl("pkey", "-pubout", given=block.encode()) == public:
                    path = self.scratch / "login.pem"
                    path.write_text(wanted + block)
                    return path
        raise RuntimeError("no home has the key of this login")

    def connect(self, port, shown):
        context = ssl.create_default_context(cafile=self.office.folder / "server" / "certificates" / "service.crt")
        context.check_hostname = False
        if shown:
            context.load_cert_chain(self.login(shown))
        return http.client.HTTPSConnection(self.upstream, port, context=context, timeout=60)

    def handler(self, role, port):
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def exchange(self):
                sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                shown = self.connection.getpeercert(binary_form=True) if role == "identity" else None
                connection = recorder.connect(port, shown)
                headers = {name: value for name, value in self.headers.items()
                           if name.lower() not in ("connection", "content-length")}
                connection.request(self.command, self.path, sent or None, headers)
                answer = connection.getresponse()
                came = answer.read()
                recorder.keep(role, self, sent, shown, answer, came)
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(came)))
                self.end_headers()
                self.wfile.write(came)
                connection.close()

            do_GET = do_POST = exchange

        return Handler

    def keep(self, role, request, sent, shown, answer, came):
        with self.lock:
            number = f"{len(self.exchanges) + 1:03}"
            path = request.path.split("?")[0]
            what = None
            if path.startswith("/.well-known/cmp"):
                what = [cmp_body(sent), cmp_body(came) if answer.status == 200 else None]
            by = "identity space" if path.startswith("/crl/") and role == "authority" else "client"
            kind_sent, kind_came = request.headers.get("Content-Type"), answer.getheader("Content-Type")
            entry = {
                "number": number, "phase": self.phase, "at": int(time.time()), "days_back": self.office.days,
                "to": role, "by": by, "method": request.command, "path": request.path, "cmp": what,
                "request": {"content_type": kind_sent, "body": f"{number}-request.body" if sent else None,
                            "octets": len(sent)},
                "client_certificate": f"{number}-client.der" if shown else None,
                "response": {"status": answer.status, "content_type": kind_came,
                             "body": f"{number}-response.body" if came else None, "octets": len(came)},
            }
            self.exchanges.append(entry)
            headers = "".join(f"{name.lower()}: {value}\n" for name, value in request.headers.items())
            (self.folder / f"{number}-request").write_text(f"{request.command} {request.path}\n{headers}")
            headers = "".join(f"{name}: {value}\n" for name, value in answer.getheaders())
            (self.folder / f"{number}-response").write_text(f"{answer.status}\n{headers}")
            for name, octets in (("request.body", sent), ("response.body", came), ("client.der", shown)):
                if octets:
                    (self.folder / f"{number}-{name}").write_bytes(octets)

    def finish(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
        shutil.rmtree(self.scratch)
        (self.folder / "index.json").write_text(json.dumps(self.exchanges, indent=1, ensure_ascii=False) + "\n")


def make_archive(folder, archive):
    """A tar with paths relative to the folder, owned by nobody in particular."""
    def plain(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, path.relative_to(folder), recursive=False, filter=plain)
    tell(f"{archive}: {archive.stat().st_size} octets")


def describe(office):
    """What `obnova status` says of each home, the last record of each journal, and the files beside the keys."""
    described = {}
    for path in sorted((office.folder / "homes").iterdir()):
        name = path.name
        journals = office.journals(name) if (path / "journeys").exists() else []
        described[name] = {
            "journeys": [
                {"finished": view["finished"], "last_record": journal[-1]["what"],
                 "items": [{"kind": item["kind"], "station": item["station"], "refused": item["refused"]}
                           for item in view["items"]]}
                for view, journal in zip(office.ask(name, "status"), journals)
            ] if journals else [],
            "files": sorted(file.name for file in path.glob("keys.p12*")),
            "invitation": (path / "invitation.json").exists(),
        }
    return described


def make_office():
    office = Office(OFFICE, "127.11.0.1")
    try:
        furnish_office(office)
    finally:
        office.stop()


def furnish_office(office):
    office.lay_out()
    wire = HERE / "wire"
    shutil.rmtree(wire, ignore_errors=True)
    wire.mkdir()

    tell("an authority and its people, a year ago")
    office.days = DAYS
    office.configure()
    office.server("init", "--organisation", "DEMO Office", "--prefix", "DEMO ", "--issuer-key", "p256")
    holders = [*KILLED, "waiting", "refused"]
    office.import_rows(*holders, "wire", "wire-waiting", "invited", "enrolling")
    office.start()
    for name in (*holders, "wire-waiting"):
        office.furnish(name)

    tell("a recorded enrolment, a year ago")
    office.configure(listen="127.11.0.9")
    office.start()
    recorder = Recorder(office, "127.11.0.9", wire, ("wire", "wire-waiting", "refused"))
    recorder.phase = "enrol"
    office.furnish("wire", keep=wire)

    tell("accounts, and recorded renewals, today")
    office.start(0)
    office.administrator()
    for name in (*holders, "wire", "wire-waiting"):
        office.bind(name)
    recorder.phase = "renew"
    office.obnova("wire", "renew", "--all", "--json")
    recorder.phase = "renew, to be approved"
    office.import_rows("wire-waiting", approval="yes")
    office.obnova("wire-waiting", "renew", "--all", "--json", expected=(3,))
    recorder.phase = "resume, not yet approved"
    office.obnova("wire-waiting", "resume", "--json", expected=(3,))
    assert office.approve("wire-waiting") == 2
    recorder.phase = "resume, approved"
    office.obnova("wire-waiting", "resume", "--json")
    recorder.phase = "renew, killed before it was sent, in debt meanwhile"
    assert office.kill_at("refused", "qualified", "keyed")
    office.import_rows("refused", debt_since="2020-01-31")
    office.obnova("refused", "resume", "--json", expected=(1,))
    recorder.phase = "renew, in debt"
    office.obnova("refused", "renew", "--all", "--json", expected=(1,))
    recorder.finish()

    tell("those who wait")
    office.configure()
    office.start()
    office.import_rows("waiting", "enrolling", approval="yes")
    office.obnova("waiting", "renew", "--all", "--json", expected=(3,))
    office.make_home("invited")
    office.invite("invited", "commercial")
    office.make_home("enrolling")
    office.enroll("enrolling", "qualified", expected=(3,))

    tell("those who were killed")
    for name in KILLED:
        office.killed(name)

    described = describe(office)
    (HERE / "office.json").write_text(json.dumps(described, indent=1) + "\n")
    (HERE / "requests-0.1.0.json").write_text(json.dumps(office.requests(), indent=1) + "\n")
    tell(office.server("health", "--json").replace("\n", " "))
    office.stop()
    office.checkpoint()
    office.write_created()
    make_archive(OFFICE, HERE / "office.tar.gz")


# The same on PostgreSQL.

class Cluster:
    """A PostgreSQL server of our own; it does not run as root, so there it is the user postgres."""

    def __init__(self):
        self.bin = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
        self.user = {"user": "postgres", "group": pwd.getpwnam("postgres").pw_gid} if os.getuid() == 0 else {}
        shutil.rmtree(CLUSTER, ignore_errors=True)
        CLUSTER.mkdir()
        CLUSTER.chmod(0o777)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        subprocess.run([self.bin / "initdb", "-A", "trust", "-U", "obnova", "-E", "UTF8", "--no-sync", "-D",
                        CLUSTER / "data"], check=True, stdout=subprocess.DEVNULL, cwd="/", **self.user)
        self.process = subprocess.Popen(
            [self.bin / "postgres", "-D", CLUSTER / "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", CLUSTER],
            stderr=subprocess.DEVNULL, cwd="/", **self.user)
        for _ in range(300):
            if not subprocess.run([self.bin / "pg_isready", "-q", *self.where()]).returncode:
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL did not come up")

    def where(self):
        return ["-h", "127.0.0.1", "-p", str(self.port)]

    def url(self):
        return f"postgres://obnova@127.0.0.1:{self.port}/postgres"

    def dump(self):
        """SQL that every driver understands: no COPY, and none of psql's own commands."""
        output = subprocess.run([self.bin / "pg_dump", *self.where(), "-U", "obnova", "--no-owner", "--no-privileges",
                                 "--inserts", "postgres"], capture_output=True, text=True, check=True)
        lines = output.stdout.splitlines()
        return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict"))) + "\n"

    def load(self, file):
        subprocess.run([self.bin / "psql", *self.where(), "-U", "obnova", "-q", "-v", "ON_ERROR_STOP=1", "-f", file,
                        "postgres"], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)
        shutil.rmtree(CLUSTER)


def make_postgres():
    cluster = Cluster()
    office = Office(POSTGRES, "127.11.0.2")
    try:
        office.lay_out()
        office.days = DAYS
        office.configure(databases=(cluster.url(), cluster.url()))
        office.server("init", "--organisation", "DEMO Office", "--prefix", "DEMO ", "--issuer-key", "p256")
        office.import_rows("waiting", "invited")
        office.start()
        office.furnish("waiting")
        office.start(0)
        office.administrator()
        office.bind("waiting")
        office.import_rows("waiting", approval="yes")
        office.obnova("waiting", "renew", "--all", "--json", expected=(3,))
        office.make_home("invited")
        office.invite("invited", "commercial")
        (HERE / "postgres-0.1.0.json").write_text(json.dumps(describe(office), indent=1) + "\n")
        tell(office.server("health", "--json").replace("\n", " "))
        office.stop()
        (POSTGRES / "dump.sql").write_text(cluster.dump())
        office.configure(databases=(PLACEHOLDER, PLACEHOLDER))
        office.write_created()
    finally:
        office.stop()
        cluster.stop()
    make_archive(POSTGRES, HERE / "postgres.tar.gz")


# Can 0.1.0 itself go on from there?

@contextlib.contextmanager
def unpacked(folder, archive):
    """The archive at its place; what stood there is put back afterwards."""
    aside = folder.with_name(folder.name + ".aside")
    if folder.exists():
        folder.rename(aside)
    try:
        folder.mkdir()
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if aside.exists():
            aside.rename(folder)


def look(office, name, codes, note, has_account):
    """How a home ended."""
    done = {"exit_codes": codes, "note": note}
    view = office.ask(name, "status")
    done["stations"] = [[item["station"] for item in journey["items"]] for journey in view]
    done["finished"] = all(journey["finished"] for journey in view)
    certificates = office.ask(name, "list")["certificates"]
    done["certificates"] = len(certificates)
    done["prove"] = {kind: office.obnova(name, "prove", kind, expected=()).returncode
                     for kind in ("qualified", "commercial") if any(c["kind"] == kind for c in certificates)}
    done["files"] = sorted(file.name for file in office.home(name).glob("keys.p12*"))
    if has_account:
        account = json.loads(office.server("account", "show", f"demo.{name}", "--json"))
        newest = office.ask(name, "show", "commercial")["hexadecimal"]
        done["account_has_newest"] = [b["hexadecimal"] == newest for b in account["bindings"]]
    return done


def run(office, name, *arguments):
    output = office.obnova(name, *arguments, "--json", expected=())
    words = [line for line in output.stderr.splitlines() if '"error"' in line]
    return output.returncode, "; ".join(words)


def days_since(folder):
    return (int(time.time()) - int((folder / "created").read_text().split()[1])) // 86_400


def verify_office(results):
    with unpacked(OFFICE, HERE / "office.tar.gz"):
        office = Office(OFFICE, "127.11.0.1")
        office.start(days_since(OFFICE))
        try:
            names = sorted(path.name for path in (OFFICE / "homes").iterdir())
            for name in names:
                home = office.home(name)
                if name == "invited":
                    code, words = run(office, name, "enroll", "--invitation", home / "invitation.json", "--store",
                                      "keys.p12", "--key", "p256")
                    codes = {"enroll": code}
                elif name == "enrolling":
                    again = ("resume", "--invitation", home / "invitation.json")
                    code, words = run(office, name, *again)
                    codes = {"resume": code, "approved": office.approve(name)}
                    codes["resume, approved"], words = run(office, name, *again)
                elif name == "waiting":
                    code, words = run(office, name, "resume")
                    codes = {"resume": code, "approved": office.approve(name)}
                    codes["resume, approved"], words = run(office, name, "resume")
                else:
                    code, words = run(office, name, "resume")
                    codes = {"resume": code}
                results[name] = look(office, name, codes, words, name not in ("invited", "enrolling"))
                tell(f"{name}: {json.dumps(results[name])}")
            results["requests left waiting"] = len(office.requests("waiting"))
            results["health"] = json.loads(office.server("health", "--json"))
        finally:
            office.stop()


def verify_postgres(results):
    with unpacked(POSTGRES, HERE / "postgres.tar.gz"):
        cluster = Cluster()
        office = Office(POSTGRES, "127.11.0.2")
        try:
            cluster.load(POSTGRES / "dump.sql")
            file = POSTGRES / "server" / "obnova-server.toml"
            file.write_text(file.read_text().replace(PLACEHOLDER, cluster.url()))
            office.start(days_since(POSTGRES))
            codes = {"resume": run(office, "waiting", "resume")[0], "approved": office.approve("waiting")}
            codes["resume, approved"], words = run(office, "waiting", "resume")
            results["postgres/waiting"] = look(office, "waiting", codes, words, True)
            code, words = run(office, "invited", "enroll", "--invitation",
                              office.home("invited") / "invitation.json", "--store", "keys.p12", "--key", "p256")
            results["postgres/invited"] = look(office, "invited", {"enroll": code}, words, False)
            results["postgres/health"] = json.loads(office.server("health", "--json"))
        finally:
            office.stop()
            cluster.stop()


def main():
    global PROGRAMS  # the folder that the command line names
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("office", "postgres", "verify"))
    parser.add_argument("--programs", type=pathlib.Path, default=PROGRAMS, help="folder of obnova and obnova-server")
    arguments = parser.parse_args()
    PROGRAMS = arguments.programs
    if arguments.what == "office":
        make_office()
    elif arguments.what == "postgres":
        make_postgres()
    else:
        results = {}
        verify_office(results)
        verify_postgres(results)
        (HERE / "verified.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
