"""Where masters go: targets as dated data."""
