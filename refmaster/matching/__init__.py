"""Derive plans: profiles and settings in, curves and numbers out; this room touches no audio."""
