"""Examples of what another package can add, one file for each kind."""
