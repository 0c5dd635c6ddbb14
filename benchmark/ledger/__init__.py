"""From what is asked to its plan, and from the plan to its records."""
