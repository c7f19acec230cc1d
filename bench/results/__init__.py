"""Commands that write what the documentation states."""
