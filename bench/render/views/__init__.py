"""What each record shows: a file for each, which selects and computes nothing."""
