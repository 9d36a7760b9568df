"""Screening against stored runs."""
