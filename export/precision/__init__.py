"""Graphs that compute in less than float32, and what that costs in exactness."""
