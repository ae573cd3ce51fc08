"""The library under the command line: one file per stage of a migration."""
