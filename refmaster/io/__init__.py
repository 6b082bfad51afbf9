"""Audio files: read and written as streams of blocks, complete or not at all, with their metadata."""
