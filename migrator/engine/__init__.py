"""Shell around the core: reads, sends, journals.

Each effect has its intent on disk before the effect leaves.
"""
