"""What is asked: from a YAML document to components with complete settings."""
