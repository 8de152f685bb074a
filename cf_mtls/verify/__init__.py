"""Did it work: real requests, judged."""
