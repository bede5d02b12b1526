"""What a study's runs come to: figures, differences, one table and one page."""
