"""Other engines behind the same shell."""
