"""Stages that begin with what was seen in the field."""
