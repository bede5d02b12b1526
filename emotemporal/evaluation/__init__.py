"""Metrics, protocols, statistics, stability and the report."""
