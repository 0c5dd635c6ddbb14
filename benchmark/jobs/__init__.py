"""How each kind of job does its work."""
