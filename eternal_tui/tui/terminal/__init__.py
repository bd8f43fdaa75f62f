"""Everything that touches private names of Textual or rich, or writes raw escape codes."""
