"""Data sets on disk: fetched, verified, compared."""
