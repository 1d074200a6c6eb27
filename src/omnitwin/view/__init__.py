"""Draws reports: terminal text, terminal pictures, PNG figures. Never imports torch or a workflow."""
