"""What people and programs read; pure."""
