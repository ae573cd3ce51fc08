"""Campaigns: standing approvals, ticks, and the SIMs that are due."""
