"""The files on disk: records of finished jobs, stored plans, and checks that they are whole."""
