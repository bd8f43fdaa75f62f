"""Balance, prices, and what jobs cost."""
