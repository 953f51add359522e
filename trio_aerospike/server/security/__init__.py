"""Security of a cluster: users, roles, permissions, quotas, and the admin commands on them."""

from .commands import Security as Security
from .users import Caller as Caller, Session as Session, UserSpec as UserSpec
