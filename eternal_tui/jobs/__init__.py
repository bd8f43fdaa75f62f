"""The domain: jobs, their states, when to poll, and the one desk that owns them."""
