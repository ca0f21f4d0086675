"""Whether a run's data is complete: what is compared before a package is sealed, and what refuses it."""
