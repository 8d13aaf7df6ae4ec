"""The jobs of the schedule: when each is due, who runs it, how it went, and a run that somebody asks for."""
