"""The wire: request bodies out, answers in."""
