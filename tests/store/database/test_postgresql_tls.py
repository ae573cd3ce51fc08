"""An account behind TLS: who is let in, by which certificate, and what is told where one does not fit."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.errors import MigratorError
from migrator.store import Store
from tests.builders import pair
from tests.server import MISSING, Server, made, running, sql
from tests.store.store_kit import NOW

pytestmark = pytest.mark.server
PASSWORD = "hunter2"
OPENSSL = shutil.which("openssl")


def make_key(folder: Path, name: str, *, by: str | None = None, host: str | None = None) -> None:
    """Make a key and a certificate for two days, signed by an authority that was made before, or by itself."""
    more = ["[more]", f"subjectAltName=DNS:{host}"] if host else []
    (folder / f"{name}.cnf").write_text("\n".join(["[req]", "distinguished_name=dn", "[dn]", *more, ""]))
    words = ["-CA", str(folder / f"{by}.crt"), "-CAkey", str(folder / f"{by}.key")] if by else []
    words += ["-extensions", "more"] if host else []
    subprocess.run(
        [
            *(OPENSSL or "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}", "-config", str(folder / f"{name}.cnf"), *words),
            *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (folder / f"{name}.key").chmod(0o600)


AUTHORITY = """\
[ca]
default_ca = authority
[authority]
database = {keys}/index.txt
new_certs_dir = {keys}
rand_serial = yes
unique_subject = no
default_md = sha256
default_crl_days = 2
policy = names
[names]
commonName = supplied
"""


def make_spent(keys: Path) -> None:
    """Make keys of ben's whose certificates are over, and revoked; with the list of what is revoked."""
    (keys / "index.txt").touch()
    (keys / "authority.cnf").write_text(AUTHORITY.format(keys=keys))

    def openssl(*words: str) -> None:
        subprocess.run([OPENSSL or "openssl", *words], check=True, capture_output=True, timeout=60, cwd=keys)

    ca = ("ca", "-batch", "-config", "authority.cnf", "-cert", "authority.crt", "-keyfile", "authority.key")
    for name, until in (("expired", ("-enddate", "20200102000000Z")), ("revoked", ("-days", "9999"))):
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")
        openssl("req", "-new", "-subj", "/CN=ben", *key, "-out", f"{name}.csr", "-config", "ben.cnf")
        openssl(*ca, "-startdate", "20200101000000Z", *until, "-in", f"{name}.csr", "-out", f"{name}.crt")
        (keys / f"{name}.key").chmod(0o600)
    openssl(*ca, "-revoke", "revoked.crt")
    openssl(*ca, "-gencrl", "-out", "list.crl")


@dataclass(frozen=True)
class Guarded:
    """A server that wants TLS on loopback: of ada her password, of ben his certificate."""

    server: Server
    keys: Path

    def key(self, name: str) -> str:
        """The path of a file."""
        return str(self.keys / name)

    def by_certificate(self, name: str) -> dict[str, str]:
        """What an address has for a client that shows a certificate."""
        return {"sslcert": self.key(f"{name}.crt"), "sslkey": self.key(f"{name}.key")}

    def url(self, user: str, host: str = "localhost", **more: str) -> str:
        """The address of its database, for a client that checks what the server shows."""
        told = {"sslmode": "verify-full", "sslrootcert": self.key("authority.crt"), "connect_timeout": "5", **more}
        words = "&".join(f"{name}={value}" for name, value in told.items())
        return f"postgresql://{user}@{host}:{self.server.port}/fleet?{words}"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server with a certificate for `localhost` alone."""
    server = running()
    if server is None:
        pytest.skip(MISSING)
    if sql(server.url(), "SHOW ssl_library") == [("",)]:
        pytest.skip("the PostgreSQL here was built without TLS")
    if OPENSSL is None:
        pytest.skip("no openssl here to make certificates")
    keys = tmp_path_factory.mktemp("keys")
    make_key(keys, "authority")
    make_key(keys, "stranger")
    make_key(keys, "localhost", by="authority", host="localhost")
    make_key(keys, "ben", by="authority")
    make_spent(keys)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with made(port) as server:
        data = server.folder / "data"
        own = (("localhost.crt", "server.crt"), ("localhost.key", "server.key"))
        for name, place in (*own, ("authority.crt",) * 2, ("list.crl",) * 2):
            shutil.copy(keys / name, data / place)
            (data / place).chmod(0o600)
            if server.user is not None:
                shutil.chown(data / place, server.user)
        sql(
            server.url(),
            f"CREATE ROLE ada LOGIN PASSWORD '{PASSWORD}'",
            "CREATE ROLE ben LOGIN",
            "CREATE DATABASE fleet",
            "GRANT CREATE ON DATABASE fleet TO ada, ben",
        )
        lines = ("local all owner trust", "hostssl all ada all scram-sha-256", "hostssl all ben all cert")
        (data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in lines))
        server.stop(signal.SIGINT)
        server.start(listen_addresses="localhost", ssl="on", ssl_ca_file="authority.crt", ssl_crl_file="list.crl")
        yield Guarded(server, keys)


def is_encrypted(guarded: Guarded, user: str) -> bool:
    """True if a user has sessions, and all of them speak TLS."""
    asked = f"SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = '{user}'"  # noqa: S608
    found = [ssl for (ssl,) in sql(guarded.server.url(), asked)]
    return bool(found) and all(found)


def refused(url: str) -> MigratorError:
    """The error of an open, which shows no password."""
    with pytest.raises(MigratorError) as caught:
        Store.open(url, account="acme", now=NOW, create=True)
    assert PASSWORD not in f"{caught.value.message} {caught.value.hint} {caught.value!r}"
    return caught.value


def test_a_login_by_password_is_encrypted_and_checks_the_server(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with Store.open(guarded.url("ada"), account="ada", now=NOW, create=True) as store:
        assert is_encrypted(guarded, "ada")
        store.pairs.add([pair(1)], replace=False, now=NOW)
    with Store.open(guarded.url("ada"), account="ada", now=NOW) as store:
        assert [found.source for found in store.pairs.all()] == [pair(1).source]


def test_a_login_by_certificate_needs_no_password(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    url = guarded.url("ben", **guarded.by_certificate("ben"))
    with Store.open(url, account="ben", now=NOW, create=True) as store:
        assert is_encrypted(guarded, "ben")
        assert store.place == f"account ben in postgresql://localhost:{guarded.server.port}/fleet"


def test_what_does_not_fit_is_told_by_its_side(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's certificate is one trouble, the user's own another. No account is made."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    loose = guarded.keys / "loose.key"
    shutil.copy(guarded.keys / "ben.key", loose)
    loose.chmod(0o644)
    ben, another = guarded.by_certificate("ben"), guarded.by_certificate("localhost")
    of_server = {
        "a name that it has not": guarded.url("ada", host="127.0.0.1"),
        "an authority that did not sign it": guarded.url("ada", sslrootcert=guarded.key("stranger.crt")),
    }
    of_user = {
        "none": guarded.url("ben"),
        "no such file": guarded.url("ben", **guarded.by_certificate("nobody")),
        "that of another user": guarded.url("ben", **another),
        "that of another authority": guarded.url("ben", **guarded.by_certificate("stranger")),
        "one that is over": guarded.url("ben", **guarded.by_certificate("expired")),
        "one that was revoked": guarded.url("ben", **guarded.by_certificate("revoked")),
        "a key for all to read": guarded.url("ben", **{**ben, "sslkey": str(loose)}),
        "the key of another": guarded.url("ben", **{**ben, "sslkey": another["sslkey"]}),
        "no key": guarded.url("ben", sslcert=ben["sslcert"]),
    }
    for why, url in of_server.items():
        error = refused(url)
        assert (error.code, error.exit_code) == ("tls", 2), why
        assert "is not to be trusted" in error.message, why
    for why, url in of_user.items():
        error = refused(url)
        assert (error.code, error.exit_code) == ("login", 2), why
        assert "own certificate" in error.message, why
        assert "sslcert=FILE" in error.hint, why
    without = refused(guarded.url("ada", sslmode="disable"))
    assert without.code == "login"
    assert "sslmode=require" in without.hint
    made_by_mistake = "SELECT nspname FROM pg_namespace WHERE nspname = 'a_acme'"
    assert sql(guarded.server.url("fleet"), made_by_mistake) == []
