"""Wire formats: what others send us and what we send ourselves. Parsed once, at the edge."""
