"""The equalizer of a plan for other programs, and theirs for a plan: impulse responses, texts, bands."""
