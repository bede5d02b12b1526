"""A page in the browser: its pictures are judged here, one connection apart from the others."""
