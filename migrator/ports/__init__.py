"""Ports: all that the shell may ask of the world.

Adapters fulfil the ports; the engine knows nothing else.

Every method of a platform is one HTTP exchange unless its docstring says otherwise. Errors are those of
`errors.PlatformError`.
"""

from migrator.ports.cutover import CutoverPlans, FieldNotes
from migrator.ports.host import WAITS, Clock, Progress
from migrator.ports.inventory import ComparedPage, Edition, InventoryStore, ListPass, Snapshot
from migrator.ports.journal import Journal, MigrationJournal, Search
from migrator.ports.orders import (
    LONGEST_CLAIM_S,
    AddTag,
    Answer,
    Claim,
    MakeTag,
    RemoveTag,
    Request,
    SetLimits,
    SetName,
    SetNames,
    SetSourceState,
    SetState,
    SourceSimState,
    Tag,
    TargetOrder,
    Vouch,
)
from migrator.ports.queue import Handler, JobQueue, QueuedJob
from migrator.ports.source import (
    Reading,
    Remaining,
    SourceControl,
    SourcePage,
    SourcePlatform,
    SourceReads,
    SourceRow,
    SourceSight,
    SourceUsage,
    SourceWrites,
)
from migrator.ports.target import CarrierJob, DataPlan, DataSession, DevicePage, TargetIdentity, TargetPlatform

__all__ = [
    "LONGEST_CLAIM_S",
    "WAITS",
    "AddTag",
    "Answer",
    "CarrierJob",
    "Claim",
    "Clock",
    "ComparedPage",
    "CutoverPlans",
    "DataPlan",
    "DataSession",
    "DevicePage",
    "Edition",
    "FieldNotes",
    "Handler",
    "InventoryStore",
    "JobQueue",
    "Journal",
    "ListPass",
    "MakeTag",
    "MigrationJournal",
    "Progress",
    "QueuedJob",
    "Reading",
    "Remaining",
    "RemoveTag",
    "Request",
    "Search",
    "SetLimits",
    "SetName",
    "SetNames",
    "SetSourceState",
    "SetState",
    "Snapshot",
    "SourceControl",
    "SourcePage",
    "SourcePlatform",
    "SourceReads",
    "SourceRow",
    "SourceSight",
    "SourceSimState",
    "SourceUsage",
    "SourceWrites",
    "Tag",
    "TargetIdentity",
    "TargetOrder",
    "TargetPlatform",
    "Vouch",
]
