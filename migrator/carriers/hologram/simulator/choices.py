"""Named answers to the questions that the carrier's reference leaves open.

There is one enumeration per open question.
"""

from enum import StrEnum

__all__ = [
    "Continues",
    "Duplicates",
    "LastId",
    "MixedClaims",
    "NextLink",
    "Operation",
    "ReadKind",
    "ReplyEdition",
    "Role",
    "SmsIncrease",
    "StockKind",
    "TagRepeat",
]


class ReplyEdition(StrEnum):
    """Editions of the vendor's reference pages, three in all.

    The replies of the editions differ in names, types and gaps.
    """

    REF_1 = "REF-1"  # the oldest: `Devices`, no simcardid, order_data an object, tags a bare list
    REF_2 = "REF-2"  # realistic samples of 2025: `device`, simcardid a number, order_data a list, jobid a string
    REF_3 = "REF-3"  # generated: simcardid a string, no order_data, jobid a number, valid_tasks [{}], tags as strings


class MixedClaims(StrEnum):
    """Result of a claim with some SIMs that cannot be claimed.

    Source: reference, section 6.3.
    """

    ALL_OR_NOTHING = "all_or_nothing"  # nothing is claimed; success false; data maps the bad SIMs to reasons
    SKIP_BAD = "skip_bad"  # the good are claimed; success true; the bad are missing from data
    FALSE_BUT_SOME = "false_but_some"  # the good are claimed, yet success is false and data names only the bad
    REFUSE_SILENTLY = "refuse_silently"  # nothing is claimed; success false with a text and no word on which SIMs


class Duplicates(StrEnum):
    """Effect of a SIM that is named twice in one claim."""

    REFUSE = "refuse"  # it counts as a bad SIM
    IGNORE = "ignore"  # it is claimed and charged once
    CHARGE_TWICE = "charge_twice"  # it is claimed once and charged per mention


class SmsIncrease(StrEnum):
    """Effect of an SMS limit of -1 or above 100, without contract.

    Source: reference, section 9.3.
    """

    IGNORE = "ignore"  # the limit stays; a limit command warns, a claim says nothing
    REFUSE = "refuse"  # the whole request is refused
    ALLOW = "allow"  # it is set, as the reference page has it


class TagRepeat(StrEnum):
    """Effect of creating a tag with a name that exists."""

    REFUSE = "refuse"  # an error
    REUSE = "reuse"  # the existing tag comes back
    CREATE = "create"  # a second tag of the same name


class Continues(StrEnum):
    """Form in which list replies report that more follows."""

    TOLD = "told"  # true or false on every page
    OMITTED_AT_END = "omitted_at_end"  # the last page leaves the key out
    OMITTED = "omitted"  # no page has the key
    ALWAYS_FALSE = "always_false"  # false even where `links.next` leads on


class LastId(StrEnum):
    """Content of `lastid` in a list reply."""

    LAST = "last"  # the id of the last element, as documented
    FIRST = "first"  # the id of the first element, as one vendor sample has it
    OMITTED = "omitted"  # no key


class NextLink(StrEnum):
    """Content of `links` in a list reply."""

    RELATIVE = "relative"  # path and query, with the host in `base`
    ABSENT = "absent"  # no `next`
    OTHER_BASE = "other_base"  # the right `next`, and a staging host in `base`
    ABSOLUTE = "absolute"  # `next` is a whole address on a foreign host: never to be followed with credentials


class ReadKind(StrEnum):
    """Ways to read a SIM; each may lag behind the truth."""

    LIST = "list"  # GET /devices without sim, and /devices/count
    BY_SIM = "by_sim"  # GET /devices?sim=
    SINGLE = "single"  # GET /devices/{id}
    LINKS = "links"  # GET /links/cellular, its single form and its history


class Role(StrEnum):
    """Role of the key's owner in the organization (reference, section 3.1)."""

    ADMIN = "admin"  # everything
    MANAGER = "manager"  # all but the balance
    EDITOR = "editor"  # reads, names and tags: nothing that costs
    VIEWER = "viewer"  # may only learn who they are


class Operation(StrEnum):
    """Operations that a role may or may not do."""

    READ = "read"  # plans, devices, links, usage, jobs
    BALANCE = "balance"  # GET .../balance
    CLAIM = "claim"  # activate SIMs; also needs the permission `activation`
    STATE = "state"  # pause and resume
    LIMITS = "limits"  # overage and SMS limits
    RENAME = "rename"  # names of devices
    TAGS = "tags"  # create and link tags


class StockKind(StrEnum):
    """Condition in which SIMs are stocked."""

    INVENTORY = "inventory"  # delivered to our organization, INACTIVE, not claimed
    FOREIGN = "foreign"  # claimed by an organization that the key cannot see
    OTHER_ORG = "other_org"  # claimed in another organization that the key can see
    CLAIMED = "claimed"  # claimed in our organization
    TEST_MODE = "test_mode"  # in Test Mode in our organization
    DEAD = "dead"  # deactivated for ever in our organization
