"""Media plumbing: what joins the socket, the rings and the pure media parts inside the rtp process."""
