"""GeoJSON values, S2 cells and regions of the embedded server."""
