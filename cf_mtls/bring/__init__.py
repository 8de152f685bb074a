"""Bring what exists: an account becomes a plan file, without one write."""
