"""The one table: keys, item forms, and the stores that keep members, journals, programs and decisions in it."""
