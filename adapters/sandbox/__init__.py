"""Local servers that speak the vendors' wire contracts: no vendor client is imported here."""
