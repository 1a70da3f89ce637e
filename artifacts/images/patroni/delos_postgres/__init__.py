"""A member of PostgreSQL: what comes before Patroni, and beside it."""
