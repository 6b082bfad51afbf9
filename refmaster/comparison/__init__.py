"""Engines side by side on one mix and reference."""
