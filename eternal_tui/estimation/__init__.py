"""How long jobs take and when to look at one next: pure arithmetic over what was seen."""
