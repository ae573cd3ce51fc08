"""Tests for the SIMs that a wave or a rule selects.

A test is compiled once, and called for every SIM of a fleet.
"""

import fnmatch
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from migrator.core.fleet.sims import SourceSim
from migrator.core.policy.policy import When

__all__ = ["Selector", "every_sim", "selector"]

Selector = Callable[[SourceSim], bool]
"""Test: True if the SIM is selected."""


def every_sim(_sim: SourceSim) -> bool:
    """Select every SIM."""
    return True


def selector(selection: When) -> Selector:
    """Compile a selection; `When` explains the conditions."""
    tests = _tests(selection)
    if not tests:
        return every_sim
    return tests[0] if len(tests) == 1 else lambda sim: all(test(sim) for test in tests)


def _tests(selection: When) -> list[Selector]:
    """Return a test for each condition that is set, the cheapest first."""
    tests: list[Selector] = []
    if selection.status is not None:
        tests.append(lambda sim: sim.status is selection.status)
    if selection.status_before is not None:
        tests.append(lambda sim: sim.status_before is selection.status_before)
    if selection.switched_off_by_us is not None:
        tests.append(lambda sim: (sim.status_before is not None) is selection.switched_off_by_us)
    if selection.iccids is not None:
        tests.append(partial(_is_listed, selection.iccids))
    if selection.label is not None:
        tests.append(_label_test(selection.label))
    least, most = selection.data_quota_mb_min, selection.data_quota_mb_max
    if selection.data_quota_mb is not None:
        tests.append(partial(_is_booked, selection.data_quota_mb, selection.data_quota_mb))
    if least is not None or most is not None:
        tests.append(partial(_is_booked, least, most))
    return tests


def _is_listed(keys: frozenset[str], sim: SourceSim) -> bool:
    return sim.iccid.key in keys


def _label_test(pattern: str) -> Selector:
    """Compile a pattern in which only `*` and `?` are special.

    A bracket, which fnmatch would take for a set, stands for itself.
    """
    fits = re.compile(fnmatch.translate(pattern.replace("[", "[[]"))).match
    return lambda sim: bool(sim.label) and fits(sim.label or "") is not None


def _is_booked(least: Decimal | None, most: Decimal | None, sim: SourceSim) -> bool:
    volume = sim.data_quota_mb
    return volume is not None and (least is None or volume >= least) and (most is None or volume <= most)
