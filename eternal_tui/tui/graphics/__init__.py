"""How frames get onto the screen: half-blocks, kitty's placeholders, or words."""
