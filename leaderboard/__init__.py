"""What came out: records in, tables and statistics out. Nothing here runs a model."""
