"""Profiles of recordings: the model, its bands, how it is measured, and where it is kept."""
