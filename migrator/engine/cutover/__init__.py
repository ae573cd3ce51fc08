"""Parts of a cutover or rollback run: read, order and prove.

The run does that for each SIM.
"""
