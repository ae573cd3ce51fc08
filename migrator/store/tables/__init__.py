"""Tables of the store, as SQLAlchemy describes them."""
