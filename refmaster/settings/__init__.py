"""Settings as data: frozen models, strict YAML with line and column, every default once."""
