"""Metrics by the rules of OpenMetrics 1.0, few whatever the fleet, and right."""

import re
from pathlib import Path

from migrator.core.policy.outside import NoticeEvent, Receiver, ReceiverKind
from tests.pages.kit import Browser, browsing, fleet
from tests.store.store_kit import NOW, open_store
from tests.worlds.world import POLICY

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


def by_label(found: Samples, metric: str, label: str) -> dict[str, float]:
    """Samples of a metric, by one label."""
    return {dict(labels)[label]: value for (name, labels), value in found.items() if name == metric}


CAMPAIGN = """
[campaign]
until = 2027-03-31
claims_per_day = 20
claims_total = 5000
spend_per_day = 25.50
spend_total = 6000.00
time_zone = "Europe/Berlin"
"""


def test_metrics_tell_ticks_notices_and_a_day_of_the_campaign_against_its_bounds(tmp_path: Path) -> None:
    text = POLICY + CAMPAIGN
    fleet(tmp_path)
    with open_store(tmp_path) as store:
        values = {"campaign": {"claims_per_day": 20}}
        store.campaigns.create(
            "fleet",
            policy_file="policy.toml",
            text=text,
            policy=values,
            sha256="abc",
            folder=str(tmp_path),
            by="ann",
            now=NOW,
        )
        store._db._driver_connection().execute(
            "UPDATE plans SET campaign_no = 1, header = json_set(header, '$.summary.money', json(?))",
            ('{"price_per_sim": "1.25"}',),
        )
        for began_s, code in ((NOW, 0), (NOW + 600, 6), (NOW + 1200, None), (NOW + 1800, 7), (NOW + 2400, None)):
            tick = store.ticks.begin(1, began_s)
            if code is not None:
                store.ticks.end(tick, exit_code=code, reason="", told={}, now=began_s + 45)
        hook = Receiver(ReceiverKind.WEBHOOK, on=(NoticeEvent.STOPPED,), url_from="OUR_URL")
        for number in range(5):
            store.outbox.add(NoticeEvent.STOPPED, str(number), {"reason": "a cap"}, NOW + number, [hook])
        first, second, third, *_ = store.outbox.due(NOW + 10)
        for one in (first, second, third):
            store.outbox.take_up(one, NOW + 10)
        store.outbox.delivered(first, NOW + 11)
        store.outbox.failed(second, NOW + 11, "answered 500", None)
        store.outbox.failed(third, NOW + 11, "answered 500", NOW + 71)
    with browsing(tmp_path, now=NOW + 3600) as browser:
        found = metrics(browser)
    assert found["migrator_tick_end_timestamp_seconds", ()] == NOW + 1845
    assert found["migrator_tick_duration_seconds", ()] == 45
    assert found["migrator_tick_exit_code", ()] == 7
    ticks = by_label(found, "migrator_ticks_total", "exit_code")
    assert {code: count for code, count in ticks.items() if count} == {"0": 1, "6": 1, "7": 1, "killed": 1}
    assert ticks["3"] == 0
    to = (("receiver", "1:webhook"),)
    assert found["migrator_notices_waiting", to] == 3
    assert found["migrator_notices_delivered_total", to] == 1
    assert found["migrator_notices_failed_total", to] == 1
    assert found["migrator_notices_oldest_waiting_seconds", ()] == 3600 - 2
    bounds = by_label(found, "migrator_campaign_bound", "of")
    assert bounds == {"claims_per_day": 20, "claims_total": 5000, "spend_per_day": 25.5, "spend_total": 6000}
    used = by_label(found, "migrator_campaign_used", "of")
    assert used == {"claims_per_day": 6, "claims_total": 6, "spend_per_day": 7.5, "spend_total": 7.5}
    with browsing(tmp_path, now=NOW + 2 * 86_400) as browser:
        later = by_label(metrics(browser), "migrator_campaign_used", "of")
    assert later == {"claims_per_day": 0, "claims_total": 6, "spend_per_day": 0, "spend_total": 7.5}


def test_a_store_without_anything_has_metrics_too(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with browsing(tmp_path) as browser:
        found = metrics(browser)
    assert found["migrator_sims", (("stage", "waiting"),)] == 0
    assert ("migrator_last_run_age_seconds", ()) not in found
    assert ("migrator_tick_end_timestamp_seconds", ()) not in found
    assert not any(name == "migrator_campaign_bound" for name, _ in found)


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
