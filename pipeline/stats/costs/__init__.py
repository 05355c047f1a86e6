"""What a success costs: expected running times, best settings, restarts."""
