"""A carrier that tells us our own credentials: nothing of them is kept, shown or logged."""

import zipfile
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from migrator.carriers.hologram.simulator import HologramBehaviour, MixedClaims
from migrator.carriers.onence.simulator import OnenceBehaviour
from migrator.carriers.onence.simulator.choices import ExpiredSims
from tests.cli.conftest import Desk
from tests.cli.cutover.test_cutover import pairs_of, pass_data, unit_of

KEY, SECRET = "hologram/invented+key=42", "1nce/invented+secret=43"


@pytest.fixture
def desk(make_desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = make_desk(
        sims=8,
        behaviour=HologramBehaviour(
            claim_pending_s=(0, 0), state_pending_s=(0, 0), echoes_key=True, claim_policy=MixedClaims.FALSE_BUT_SOME
        ),
        onence=OnenceBehaviour(rate_limit=None, put_effect_s=0.0, bulk_effect_s=0.0, echoes_credentials=True),
    )
    hologram, onence = made.rehearsal.hologram, made.rehearsal.onence
    hologram.api_key, onence._tokens.client_secret, onence.client_secret = KEY, SECRET, SECRET
    monkeypatch.setenv("HOLOGRAM_API_KEY", KEY)
    monkeypatch.setenv("ONENCE_CLIENT_SECRET", SECRET)
    return made


def spellings(desk: Desk) -> set[bytes]:
    """All that must not be found anywhere: keys as they are, quoted, and in Base64; and every token."""
    plain = [KEY, SECRET, f"apikey:{KEY}", f"{desk.rehearsal.onence.client_id}:{SECRET}"]
    coded = [b64encode(text.encode()).decode().rstrip("=") for text in plain]
    tokens = [token.rstrip("=") for token in desk.rehearsal.onence._tokens._tokens]
    assert tokens
    texts = [*plain[:2], *coded, *tokens, *(quote(text, safe="") for text in plain[:2])]
    return {text.encode() for text in texts}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in the folder, and every member of every archive."""
    found = {}
    for path in (path for path in folder.rglob("*") if path.is_file()):
        found[path.name] = path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path.name}: {name}": archive.read(name) for name in archive.namelist()}
    return found


def test_no_echoed_credential_is_kept_shown_or_logged(desk: Desk) -> None:
    """In records, job ids, success and error texts, in every spelling, from pull to rollback."""
    said = []

    def run(*words: str, code: int | None = 0) -> str:
        ended = desk.run("-v", *words)
        assert code is None or ended.code == code, ended.err
        said.append(ended.out + ended.err)
        return ended.out

    run("inventory", "pull", "--quotas")
    run("pair", "pool", desk.pool())
    bad = min(desk.rehearsal.hologram.sims)
    desk.rehearsal.hologram.behaviour = replace(desk.rehearsal.hologram.behaviour, poison=frozenset({bad}))
    policy = 'policy_version = 1\n[claim]\ndata_plan_id = 2096\nzone = "global"\n[[waves]]\nname = "all"\n'
    gates = "[gates]\nmax_failures = 100\nmax_failure_share = 1.0\nverified_share = 0.0\n"
    run("plan", "create", "--policy", desk.write("policy.toml", policy + gates))
    claims = desk.json("plan", "show").data["claims"]
    run("apply", "--confirm", str(claims), code=3)
    run("jobs", "list", "--all")
    for new, old in pairs_of(desk).items():
        pass_data(desk, new, unit_of(desk, old), after_s=1.0)
    run("cutover", "plan", "--verified-share", "0")
    expired = OnenceBehaviour(rate_limit=None, echoes_credentials=True, expired=ExpiredSims.UNREADABLE)
    desk.rehearsal.onence.behaviour = expired
    run("cutover", "apply", "--confirm", str(desk.json("cutover", "show").data["count"]), code=None)
    run("verify", "--source", code=None)
    run("report", "--format", "html,json,csv,md", code=None)
    run("report", "--evidence", "evidence.zip", code=None)
    run("jobs", "list", "--all", "--json")
    run("audit", "log")
    desk.rehearsal.hologram.behaviour = replace(desk.rehearsal.hologram.behaviour, bad_key_status=403)
    desk.rehearsal.hologram.api_key = f"{KEY}-revoked"
    run("verify", code=4)
    for secret in spellings(desk):
        found = [name for name, content in contents(desk.folder).items() if secret in content]
        assert found == [], f"{secret!r} is kept in {found}"
        assert not any(secret.decode() in text for text in said), f"{secret!r} was told"
