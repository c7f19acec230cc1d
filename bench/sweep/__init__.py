"""A matrix of measurements as a file."""
