"""Verbs that write models for other programs, and read theirs."""
