"""The run folders and the record that each of them keeps."""
