"""Metrics by the rules of OpenMetrics 1.0, few whatever the fleet, and right."""

import re
from pathlib import Path

from tests.pages.kit import Browser, browsing, fleet
from tests.store.store_kit import NOW, open_store

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(?P<labels>[^{}]*)\})? (?P<value>\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"')
SUFFIXES = {"gauge": "", "counter": "_total"}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    """Parse by the format's rules: the metadata of a family before its samples, each once, and the end at the end."""
    assert text.endswith("# EOF\n")
    lines = text.removesuffix("# EOF\n").splitlines()
    kinds: dict[str, str] = {}
    told: set[tuple[str, str]] = set()
    found: Samples = {}
    family = ""
    for line in lines:
        if line.startswith("# "):
            _, what, name, rest = line.split(" ", 3)
            assert what in {"TYPE", "HELP", "UNIT"}
            assert (what, name) not in told, "told twice"
            assert name == family or name not in kinds, "families are not mixed"
            told.add((what, name))
            family = name
            if what == "TYPE":
                assert rest in SUFFIXES
                kinds[name] = rest
            if what == "UNIT":
                assert name.endswith(f"_{rest}")
            continue
        match = SAMPLE.fullmatch(line)
        assert match is not None, line
        assert match["name"] == family + SUFFIXES[kinds[family]], line
        labels = LABEL.findall(match["labels"] or "")
        assert ",".join(f'{name}="{value}"' for name, value in labels) == (match["labels"] or "")
        key = (match["name"], tuple(labels))
        assert key not in found, "one sample twice"
        found[key] = float(match["value"])
    assert all(("HELP", name) in told for name in kinds)
    return found


def metrics(browser: Browser) -> Samples:
    answer = browser.ask("/metrics", headers={"accept": "application/openmetrics-text"})
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return parsed(answer.text)


def test_metrics_tell_lives_claims_requests_runs_and_ages(tmp_path: Path) -> None:
    fleet(tmp_path)
    with browsing(tmp_path, now=NOW + 3600) as browser:
        found = metrics(browser)
    assert found["migrator_sims", (("stage", "claimed_silent"),)] == 5
    assert found["migrator_sims", (("stage", "exception"),)] == 3
    assert sum(value for (name, _), value in found.items() if name == "migrator_sims") == 8
    assert found["migrator_exceptions", (("code", "refused"),)] == 1
    assert found["migrator_exceptions", (("code", "in_doubt"),)] == 0
    assert found["migrator_claims_total", ()] == 6
    assert found["migrator_idle_cards", (("age_days", "0-6"),)] == 6
    assert found["migrator_idle_money", (("age_days", "90+"),)] == 0
    assert found["migrator_cap_used", (("of", "sims"),)] == 6
    assert found["migrator_requests_total", (("kind", "claim"), ("outcome", "accepted"))] == 1
    assert found["migrator_requests_total", (("kind", "claim"), ("outcome", "refused"))] == 1
    assert found["migrator_requests_total", (("kind", "claim"), ("outcome", "lost"))] == 0
    assert found["migrator_runs", (("state", "completed"),)] == 1
    assert found["migrator_last_run_age_seconds", ()] == 3600 - 90
    assert found["migrator_last_run_exit_code", ()] == 3
    assert found["migrator_at_work", ()] == 0
    assert found["migrator_inventory_age_seconds", ()] == 3600


def test_a_store_without_anything_has_metrics_too(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with browsing(tmp_path) as browser:
        found = metrics(browser)
    assert found["migrator_sims", (("stage", "waiting"),)] == 0
    assert ("migrator_last_run_age_seconds", ()) not in found


def test_the_number_of_series_does_not_grow_with_the_fleet_and_names_no_sim(tmp_path: Path) -> None:
    counts = []
    for sims in (8, 60):
        folder = tmp_path / str(sims)
        folder.mkdir()
        fleet(folder, sims)
        with browsing(folder) as browser:
            text = browser.ask("/metrics").text
            counts.append(len(parsed(text)))
            assert not re.search(r"\d{15,}", text)
            assert "p1" not in text
    assert counts[0] == counts[1]
