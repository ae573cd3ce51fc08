"""Old SIM as it was first seen. Pure."""

from dataclasses import dataclass

__all__ = ["Baseline"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """Status, label and hardware of an old SIM at the first look.

    Args:
        status: its status at 1NCE.
        label: its label there.
        imei: the hardware that it was in, as told.
        seen_s: when that was (UTC seconds).
        is_first: False where the store is older than its baselines: then it is the oldest look that was still there.
    """

    status: str
    label: str | None
    imei: str | None
    seen_s: float
    is_first: bool = True

    def differences(self, *, status: str | None, label: str | None, imei: str | None) -> tuple[str, ...]:
        """Return the names of the values that are others now."""
        pairs = (("status", self.status, status), ("label", self.label, label), ("imei", self.imei, imei))
        return tuple(name for name, was, now in pairs if (was or None) != (now or None))
