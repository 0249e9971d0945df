"""Simulated attacks of real photographs."""
