"""Who gets in: people and their roles, where they are signed in, and keys of programs."""
