"""Geospatial values: GeoJSON, S2 cells, regions and their coverings."""
