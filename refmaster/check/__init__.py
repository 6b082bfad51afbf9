"""Judge profiles: findings on mixes and references before the work, on masters after it."""
