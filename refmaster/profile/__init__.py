"""What a recording measures: the model, how it is measured, and where it is kept."""
