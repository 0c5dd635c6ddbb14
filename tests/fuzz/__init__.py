"""What strangers may hand in, changed at random from seeds: records, plans, suites, tables."""
