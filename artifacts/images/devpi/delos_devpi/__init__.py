"""DevPI as a service of Delos: its indices are the platform's projects, and the control API says who may do what."""
