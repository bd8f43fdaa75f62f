"""What a person is about to ask for: drafts, presets, and who a typed name means."""
