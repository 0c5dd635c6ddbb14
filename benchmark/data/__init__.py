"""Data sets on disk: how they are fetched, verified and compared."""
