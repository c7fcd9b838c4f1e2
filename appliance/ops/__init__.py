"""What operators see of the appliance: metrics, health, events and a page, all read from shared memory."""
