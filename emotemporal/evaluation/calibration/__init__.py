"""How far confidence can be trusted."""
