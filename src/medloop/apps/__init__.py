"""What people start: command line, settings, bootstrap."""
