"""Where subsystems meet."""
