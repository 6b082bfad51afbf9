"""One album from several engineers: what belongs to whom, common levels, a plan for each track."""
