"""Jobs on made data of any size, run by hand: what they take of memory and time."""
