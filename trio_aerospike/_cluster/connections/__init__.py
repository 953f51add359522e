"""Network connections to nodes: opening, pipelining, pooling, leasing them."""
