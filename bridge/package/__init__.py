"""Rows in, the file that is uploaded out; and its verification."""
