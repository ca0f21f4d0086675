"""What people and scripts are shown: tables, stories, progress, JSON."""
