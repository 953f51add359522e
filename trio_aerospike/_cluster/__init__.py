"""Connections, pools, nodes, the partition map and the tend loop, on trio."""
