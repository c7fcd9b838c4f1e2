"""The processes of the appliance: one main each."""
