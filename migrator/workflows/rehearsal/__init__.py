"""Rehearsals of whole workflows on the simulators."""
