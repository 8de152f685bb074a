"""Mutated inputs through every reader of the program: nothing uncaught, nothing slow, nothing large."""
