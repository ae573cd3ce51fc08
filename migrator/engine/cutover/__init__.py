"""One run of a cutover or rollback: read, order and prove each SIM."""
