"""What the scripts beside this folder share: statistics of pairs, the machine's description, engines to run and tables."""
