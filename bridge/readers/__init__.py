"""A reader folder read whole, and what can be said of one without showing it."""
