"""refmaster: reference-matching mastering."""

__version__ = "0.1.0"
