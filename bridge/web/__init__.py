"""The way to the network: what the settings say of it, and sessions that go that way."""
