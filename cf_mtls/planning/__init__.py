"""What must change; pure."""
