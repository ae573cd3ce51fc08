"""Library under the command line.

Each stage of a migration has one file.
"""
