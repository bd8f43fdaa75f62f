"""One typed Settings: defaults, then config.toml, then the environment, then flags."""
