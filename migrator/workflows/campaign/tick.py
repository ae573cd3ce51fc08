"""State of one tick: its rights, and its results."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from migrator.core.campaign.calendar import day_began_s, is_over, is_quiet, quiet_in_s
from migrator.core.campaign.life import LifeCounts
from migrator.core.campaign.state import Campaign, CampaignState
from migrator.core.fleet.units import n_people
from migrator.core.policy.policy import CampaignPolicy
from migrator.core.run.results import ExitCode
from migrator.errors import Halted, MigratorError, StalePlan, StoreBusy, StoreError
from migrator.inputs.policy.file import LoadedPolicy
from migrator.store import Owner
from migrator.store.campaigns.ticks import KeptTick
from migrator.workflows.apply import Bounds
from migrator.workflows.site import Site

__all__ = ["GRAVITY", "PLACE", "Held", "Look", "Tick", "unusable"]

Look = tuple[int, int]
"""Size of a file, and its last change (ns).

Of one that is still being written they are others a moment later.
"""

LONGEST_RUN_S = 1800.0
WAIT_S = 120.0
"""Seconds that a stage stays for SIMs that are only pending.

A stage waits in vain once at most, however many plans it has: the next tick reads them again.
"""

LATELY = 200
"""Most ticks that are looked back at."""

PLACE = "give the user of `migrator campaign run` the right to it, and room on its disk"
"""Remedy for a file or folder that cannot be written."""

SHORTEST_RUN_S = 60.0
"""Least time before quiet hours in which a run is begun."""

GRAVITY = (
    ExitCode.ERROR,
    ExitCode.REFUSED,
    ExitCode.INPUT,
    ExitCode.HALTED,
    ExitCode.ATTENTION,
    ExitCode.RESUMABLE,
)
"""Exit codes of what held a tick up, the gravest first."""


@dataclass(frozen=True, slots=True)
class Held:
    """Work that a tick left, with the command that goes on.

    `cause` is the words without those of a hook or carrier; "" where there are none. `lasts`: a report says it until
    the next tick. What a report sees by itself, or what only waits, does not last.
    """

    exit_code: ExitCode
    words: str
    hint: str = ""
    cause: str = ""
    lasts: bool = True


@dataclass(slots=True)
class Tick:
    """Tick at work.

    Args:
        site: the store, held for the tick.
        campaign: as it was when the tick began.
        loaded: its policy, as the file is now.
        bounds: the policy's bounds.
        me: who holds the lease.
        trouble: what makes the policy's file unusable; None if nothing does. Then nothing is sent.
        given_ref: the change or ticket that the call named; "" for none.
        files: the intake as the tick began.
        taken: where the files that it took are now, each with its name and its look before it was read.
    """

    site: Site
    campaign: Campaign
    loaded: LoadedPolicy
    bounds: CampaignPolicy
    me: Owner
    trouble: Held | None = None
    given_ref: str = ""
    files: Mapping[Path, Look] = field(default_factory=dict)
    taken: dict[Path, tuple[str, Look]] = field(default_factory=dict, init=False)
    told: dict[str, Any] = field(default_factory=dict)
    held: list[Held] = field(default_factory=list)
    counts: LifeCounts | None = field(default=None, init=False)  # once the exceptions were counted
    _waits: bool = field(default=True, init=False)
    _earlier: list[KeptTick] | None = field(default=None, init=False)

    @property
    def zone(self) -> ZoneInfo:
        """Time zone of the campaign."""
        return ZoneInfo(self.bounds.time_zone)

    def now(self) -> datetime:
        """Return the time in UTC."""
        return self.site.clock.now().astimezone(UTC)

    def day_began_s(self) -> float:
        """Return when the campaign's day began, in UTC seconds."""
        return day_began_s(self.now(), self.zone)

    def count(self, name: str, number: int) -> None:
        """Add to what is told of the tick."""
        if number:
            self.told[name] = self.told.get(name, 0) + number

    def hold(self, exit_code: ExitCode, words: str, hint: str = "", cause: str = "", *, lasts: bool = True) -> None:
        """Note what holds the tick up."""
        self._note(Held(exit_code, words, hint, cause, lasts and exit_code is not ExitCode.RESUMABLE))

    def _note(self, held: Held) -> None:
        if held not in self.held:
            self.held.append(held)

    def lasting(self) -> list[dict[str, Any]]:
        """Return the holds that last until the next tick, as JSON."""
        held = [one for one in self.held if one.lasts]
        return [{"exit_code": int(one.exit_code), "words": one.words, "hint": one.hint} for one in held]

    def may_write(self) -> bool:
        """True if something may be sent now; else notes why not.

        The campaign is read anew: somebody may have paused it a moment ago.
        """
        if not self.is_approved():
            return False
        if (held := self._closed()) is not None:
            self._note(held)
        return held is None

    def is_approved(self) -> bool:
        """True if the campaign is approved; else notes why not."""
        if (held := self._unapproved()) is not None:
            self._note(held)
        return held is None

    def is_policy_approved(self) -> bool:
        """True if enough people approved the policy as its file is now.

        The campaign may be paused.
        """
        campaign = self.site.store.campaigns.open()
        if self.trouble is not None or campaign is None or campaign.campaign_no != self.campaign.campaign_no:
            return False
        return campaign.approved_s is not None and campaign.policy_sha256 == self.loaded.fingerprint

    def has_folder(self) -> bool:
        """True if the folder is here; else notes that it is not.

        None is made: people go on to put files into the true one, on a share that this machine has lost.
        """
        folder = Path(self.campaign.folder)
        if not folder.is_dir():
            hint = "mount the share that it lies on, or make it again where it was deleted"
            words = f"the campaign's folder {folder} is not there: no file is taken, and no report written"
            self.hold(ExitCode.ATTENTION, words, hint)
            return False
        return True

    def _unapproved(self) -> Held | None:
        if self.trouble is not None:
            return self.trouble
        campaign = self.site.store.campaigns.open()
        if campaign is None or campaign.campaign_no != self.campaign.campaign_no:
            hint = "`migrator campaign create --policy FILE` makes another one"
            return _stopped("the campaign was ended meanwhile", hint)
        if campaign.policy_sha256 != self.loaded.fingerprint:
            words = "the policy's file was changed since it was approved"
            return _stopped(words, "`migrator campaign approve` approves it as it is now")
        if campaign.state is CampaignState.PAUSED:
            return _stopped("the campaign is paused", "`migrator campaign resume --by NAME` goes on")
        if campaign.state is not CampaignState.APPROVED:
            have = len(self.site.store.campaigns.people(campaign))
            words = f"the campaign needs the approval of {n_people(self.bounds.approvals)} and has {have}"
            return _stopped(words, "`migrator campaign approve` approves it")
        return None

    def _closed(self) -> Held | None:
        now = self.now()
        if is_over(now, self.bounds.until, self.zone):
            words = f"[campaign] until = {self.bounds.until} is over"
            return _stopped(words, "set a later day in the policy, then `migrator campaign approve`")
        if is_quiet(now, self.bounds.quiet_hours, self.zone) or self.longest_run_s() < SHORTEST_RUN_S:
            words = "quiet hours: nothing is sent"
            return Held(ExitCode.RESUMABLE, words, "the next `migrator campaign run` goes on", lasts=False)
        return None

    def longest_run_s(self) -> float:
        """Return the seconds until no run may write any more.

        No write begins in quiet hours, or after the last day.
        """
        now = self.now()
        quiet_s = quiet_in_s(now, self.bounds.quiet_hours, self.zone)
        last_s = datetime.combine(self.bounds.until + timedelta(days=1), time(0), self.zone).timestamp()
        most_s = min(LONGEST_RUN_S, max(0.0, last_s - now.timestamp()))
        return most_s if quiet_s is None else min(most_s, quiet_s)

    def run_bounds(self, most_claims: int) -> Bounds:
        """Return the bounds of one run of `apply`."""
        return Bounds(max_sims=most_claims, wait_s=self.wait_s(), max_duration_s=self.longest_run_s(), ref=self.ref())

    def wait_s(self) -> float:
        """Return the seconds to stay for SIMs that are only pending."""
        return min(WAIT_S, self.site.settings.settle_timeout_s) if self._waits else 0.0

    def waited(self) -> None:
        """Let no other run of the stage stay for pending SIMs."""
        self._waits = False

    def earlier(self) -> list[KeptTick]:
        """Return the ticks before this one, newest first.

        They are read once: no other tick begins or ends beside this one.
        """
        if self._earlier is None:
            self._earlier = self.site.store.ticks.list(LATELY)[1:]
        return self._earlier

    def ref(self) -> str:
        """Return the reference of the call, else of the newest approval.

        The text is empty where there is none.
        """
        return self.given_ref or self.site.store.campaigns.ref(self.campaign)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Carry one stage out.

        Trouble is noted, and the next stage goes on. The lease is renewed first: a stage without requests renews none.
        """
        self.site.store.lease.beat(self.me, self.site.now())
        self.site.progress("campaign_stage", {"stage": name})
        self._waits = True
        try:
            yield
        except (StoreBusy, StoreError):
            raise
        except MigratorError as error:
            code = ExitCode(error.exit_code) if error.exit_code in GRAVITY else ExitCode.HALTED
            self._note(Held(code, f"{name}: {error.message}", error.hint, f"{name}: {error.cause}"))
        except OSError as error:
            if error.filename is None and error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                raise  # no trouble with a file
            self._note(Held(ExitCode.INPUT, f"{name}: {unusable(error)}", PLACE))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Carry out work on one plan.

        Trouble of that plan alone is noted, and the next one goes on.
        """
        try:
            yield
        except Halted as error:
            self.hold(ExitCode.HALTED, error.message, error.hint)
        except StalePlan as error:
            self.hold(ExitCode.ATTENTION, error.message, error.hint)

    def exit_code(self) -> ExitCode:
        """Return the gravest of what held the tick up."""
        codes = {held.exit_code for held in self.held}
        return next((code for code in GRAVITY if code in codes), ExitCode.DONE)

    def reason(self) -> str:
        """Return the gravest of what held the tick up, in words."""
        code = self.exit_code()
        return next((held.words for held in self.held if held.exit_code is code), "all is done that was due")

    def hint(self) -> str:
        """Return the command that goes on; "" for none."""
        code = self.exit_code()
        return next((held.hint for held in self.held if held.exit_code is code and held.hint), "")


def unusable(error: OSError) -> str:
    """Return words on a file or folder that cannot be used."""
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{error.strerror or error}"


def _stopped(words: str, hint: str) -> Held:
    """Return a hold that a report sees by itself.

    That is the approval, or the last day.
    """
    return Held(ExitCode.HALTED, words, hint, lasts=False)
