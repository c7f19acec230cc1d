"""What this machine is, and what it can reach at most."""
