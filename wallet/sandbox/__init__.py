"""The whole service over simulated chains: for integrators, with no node and no money at stake."""
