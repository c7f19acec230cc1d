"""From a trained network to a verified file for another runtime."""
