"""The use cases, with fakes at their ends."""
