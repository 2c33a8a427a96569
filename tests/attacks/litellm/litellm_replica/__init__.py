"""The library, which did what it always did."""
