"""What of the package `flock` matters to somebody who reads it as text: names, bases, metaclasses. It is not the package."""
from flock.agent import Agent
from flock.orchestrator import Flock

__all__ = ["Agent", "Flock"]
