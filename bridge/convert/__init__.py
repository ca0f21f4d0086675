"""Reader XML output to rows that fit their columns, or the row that does not and why."""
