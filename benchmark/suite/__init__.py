"""Suites: from a YAML document to components with complete settings."""
