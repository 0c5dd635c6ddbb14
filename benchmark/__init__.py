"""How a suite is carried out: from the suite to a plan, then to jobs, then to records in the store."""
