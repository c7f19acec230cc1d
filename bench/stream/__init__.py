"""What it costs to compute a signal chunk by chunk."""
