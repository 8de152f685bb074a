"""Faults put into safety lines by hand, each with the tests that must notice: `python -m tests.mutants`.

Rules of this folder:
- A row says where (module and the name of a function, class or constant), which text becomes which, and the nearest
  tests. It is found by name and text, so it survives moves of lines; whitespace in the text stands for any.
- A mutant is made in a copy of the tree, never in the tree itself, and one at a time.
- A survivor is either a missing test, or equivalent: then the row says why nothing can tell the two apart.
"""
