"""The pair lab: how often pairs of identical code claim a difference, and which differences are found."""
