"""What lies on disk: the records of finished jobs, stored plans, and whether they are whole."""
