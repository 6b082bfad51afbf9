"""Audio files: read and written as streams of blocks, whole or not at all, with their metadata."""
