"""The nouns: frozen values without third-party imports."""
