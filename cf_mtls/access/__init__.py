"""What Access does with a request, and who can get in; pure theory, written apart from the emulator."""
