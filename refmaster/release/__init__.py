"""Release an album: one continuous program, and what a plant, a distributor and a listener get of it."""
