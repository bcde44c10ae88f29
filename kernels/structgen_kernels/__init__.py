"""The jitted inner loops of structgen: pure functions over flat arrays, allocated by the caller.

Importing this package compiles nothing; each module compiles on first use and keeps the result on disk.
"""
