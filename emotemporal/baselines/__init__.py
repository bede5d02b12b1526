"""What clip models are compared with."""
