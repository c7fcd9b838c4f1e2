"""Dragoman: an on-premises telephone interpreter."""
