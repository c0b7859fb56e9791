"""What could fool us."""
