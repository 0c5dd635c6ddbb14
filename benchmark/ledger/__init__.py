"""From a request to its plan, and from the plan to the records."""
