"""Stand-ins for what is outside the box: servers on the loopback that speak the documented protocols."""
