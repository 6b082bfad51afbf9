"""Engines: whose tone curves a plan holds, refmaster's own or matchering's."""
