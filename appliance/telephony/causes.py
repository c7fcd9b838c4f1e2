"""Why a call ends: Q.850 causes, and which one the caller is told. Asterisk turns them into SIP answers."""

UNALLOCATED = 1  # SIP 404
NORMAL = 16
BUSY = 17  # 486
NO_RESPONSE = 18  # 408
NO_ANSWER = 19  # 480
UNREGISTERED = 20  # 480
REJECTED = 21  # 403
CONGESTION = 34  # 503
TEMPORARY_FAILURE = 41

# What the callee's side ends with when it only stopped ringing: to the caller that is nobody answering.
_SAYS_NOTHING = frozenset((0, NORMAL, 26, 31))


def cause_for_caller(callee_cause: int) -> int:
    """What a waiting caller is told when the last callee is gone without having answered."""
    return NO_ANSWER if callee_cause in _SAYS_NOTHING else callee_cause
