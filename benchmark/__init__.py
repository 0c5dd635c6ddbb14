"""How a suite is carried out: suite to plan, plan to jobs, jobs to records in the store."""
