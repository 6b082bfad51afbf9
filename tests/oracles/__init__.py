"""Independent oracles: what the package computes cleverly, written out plainly, equation by equation."""
