"""Handover of the result to the systems that hold ICCIDs."""

from migrator.workflows.handover.check import HandoverCheck, check_handover
from migrator.workflows.handover.export import Handover, handover

__all__ = ["Handover", "HandoverCheck", "check_handover", "handover"]
