"""Measurements of structgen and, where they are installed, of its peers, in the same run."""
