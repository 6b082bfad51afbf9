"""Deliver masters: a file for each target, with a manifest that proves what it is."""
