"""``python -m refmaster`` is the command line."""

from refmaster.cli.main import run

run()
