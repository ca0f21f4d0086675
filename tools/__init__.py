"""What developers run: the whole check, the demo, benchmarks, the simulated tenant."""
