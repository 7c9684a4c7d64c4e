"""The questions that the pages ask of the store. Each takes a connection and gives plain values."""
