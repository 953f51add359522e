"""Who is in the cluster and who owns which partition: the tend loop and what it learns."""
