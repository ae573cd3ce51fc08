"""Move a fleet of IoT SIMs from 1NCE to Hologram."""

__version__ = "0.1.0"
