"""Tags of old SIMs that their new SIMs are to bear."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from migrator.core.plan.plan import Change
from migrator.core.policy.policy import Policy
from migrator.errors import InputError

__all__ = ["USUAL_TAGS", "TagWatch"]

USUAL_TAGS = 20
"""Most tags that are copied, where the policy names no other number."""


@dataclass(slots=True)
class TagWatch:
    """Bound on the tags that plans copy, as changes pass by.

    Each tag is made once, in the whole organization. So those of earlier plans count, too.

    Args:
        policy: has the bound.
        before: the tags that begun plans copy.
    """

    policy: Policy
    before: frozenset[str] = frozenset()
    names: set[str] = field(default_factory=set)

    def watching(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass `changes` through, and note the tags that will be needed.

        Raises: InputError, for more tags than the policy allows, and for the tag of the stock, which units lose.
        """
        most = self.policy.claim.most_tags or USUAL_TAGS
        for change in changes:
            if change.tags and change.action.acts:
                self.names.update(change.tags)
                if self.policy.stock.tag in self.names:
                    raise InputError(
                        f"{change.source_iccid} bears the tag {self.policy.stock.tag!r}, which is [stock] tag here: "
                        "cards lose it in their unit",
                        code="stock_tag_copied",
                        hint='give [stock] tag another name, or write [claim] tags = "leave"',
                    )
                if len(self.names | self.before) > most:
                    raise InputError(
                        f"the old SIMs bear more than {most} different tags, those of earlier plans included, and "
                        "[claim] most_tags allows no more; there is no plan, and nothing was sent: "
                        f"{', '.join(map(repr, sorted(self.names)[:5]))}, ...",
                        code="too_many_tags",
                        hint='raise [claim] most_tags, pick SIMs with --where, or write [claim] tags = "leave"',
                    )
            yield change
