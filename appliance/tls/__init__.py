"""TLS of the operators' page: its certificate, whether that is good, and one of the box's own where none is given."""
