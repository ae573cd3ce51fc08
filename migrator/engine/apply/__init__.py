"""Parts of a run of `apply`: claim, secure, name and verify.

The run works wave by wave.
"""
