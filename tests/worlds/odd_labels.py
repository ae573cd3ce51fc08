"""Labels as no one would write them, and odd ways in which records tell them, drawn from a seed."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator.carriers.onence.simulator.choices import LabelForm

__all__ = ["CUT_EMOJI", "ODD_LABELS", "Oddities", "oddities"]

CUT_EMOJI = "pump \ud83d"

ODD_LABELS = (
    None,
    "",
    " ",
    CUT_EMOJI,
    "\udc00 begins with the other half",
    "Z\ufffdhler",
    "tab\tline\nbell\x07nul\x00",
    "right to left \u202e and back",
    "x" * 500,
    "é" * 250,
    '="formula"',
    "***",
)

LISTED = (LabelForm.OBJECT, LabelForm.NUMBER, LabelForm.BROKEN)
"""What the list may do to a label. Where both reads lose the very same of it, nobody can know, and all is lost."""

NEVER_ORDERED = frozenset({LabelForm.OBJECT, LabelForm.NUMBER, LabelForm.BROKEN})


@dataclass(frozen=True, slots=True)
class Oddities:
    """What is odd in one schedule: labels that somebody wrote, and records that tell them oddly, by ICCID."""

    labels: Mapping[str, str | None] = field(default_factory=dict)
    single: Mapping[str, LabelForm] = field(default_factory=dict)
    listed: Mapping[str, LabelForm] = field(default_factory=dict)
    is_pulled: bool = False

    @property
    def may_stay(self) -> set[str]:
        """SIMs that an order may pass by for their label: told oddly, or written after the last pull."""
        return {*self.single, *self.listed, *(() if self.is_pulled else self.labels)}

    @property
    def must_stay(self) -> set[str]:
        """SIMs whose own record never tells the label as it is."""
        return {iccid for iccid, form in self.single.items() if form in NEVER_ORDERED}


def oddities(chance: random.Random, iccids: Sequence[str]) -> Oddities:
    """Some labels are odd, and a few are told oddly.

    A record that leaves out a label of which no list told, either, is left out here, too: nobody can know of it.
    """
    labels = {iccid: chance.choice(ODD_LABELS) for iccid in iccids if chance.random() < 0.4}
    single = {iccid: chance.choice(list(LabelForm)) for iccid in iccids if chance.random() < 0.15}
    listed = {iccid: chance.choice(LISTED) for iccid in iccids if chance.random() < 0.15}
    is_pulled = chance.random() < 0.5
    unknown = set() if is_pulled else {iccid for iccid in labels if single.get(iccid) is LabelForm.OMITTED}
    told = {iccid: form for iccid, form in single.items() if iccid not in unknown}
    return Oddities(labels=labels, single=told, listed=listed, is_pulled=is_pulled)
