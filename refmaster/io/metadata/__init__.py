"""Tags, cover art and broadcast chunks, carried from a mix to its master."""
