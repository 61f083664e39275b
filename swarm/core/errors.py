"""Every error that this project raises on purpose.

SwarmError
├── ConfigurationError        flags, files or environment are wrong: say what to change, exit 2
├── ProtocolError
│   ├── LocalProtocolError    our own code broke a rule: a bug, let it end the peer
│   └── RemoteProtocolError   another peer broke a rule: drop its message, keep running
├── NetworkError              usually worth a retry
│   ├── PeerUnreachableError
│   ├── BlobNotFoundError
│   ├── BlobCorruptError
│   ├── OverloadedError       too much work waits already: this is refused at once
│   └── NoQuorumError         too few members of an ensemble answered
├── StorageError              the disk is full or failed: leave cleanly
├── LearningError             the computation is impossible with these inputs
│   ├── NoContributionsError
│   ├── ShapeMismatchError
│   └── DataError             a data set is missing or malformed
├── StrategyError             a study's own strategy failed: end the study, keep the peer running
├── WorkerDiedError           a worker process ended during a job: start another, try again
└── EndedError                the peer in a thread has ended: start another one
"""


class SwarmError(Exception):
    """Base of all errors that this project raises on purpose."""


class ConfigurationError(SwarmError):
    """A flag, an environment variable or a file is wrong; the message gives value and rule."""


class ProtocolError(SwarmError):
    """A rule of the swarm's protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our own code broke a rule. This is a bug, so let it end the peer."""


class RemoteProtocolError(ProtocolError):
    """Another peer broke a rule: drop its message and keep running."""


class NetworkError(SwarmError):
    """A network operation failed; a retry usually helps."""


class PeerUnreachableError(NetworkError):
    """A connection to the peer could not be opened, or it broke."""


class PeerSilentError(PeerUnreachableError):
    """The peer did not answer in time. It may be busy, frozen or cut off: nothing refused."""


class BlobNotFoundError(NetworkError):
    """No holder that was asked delivered the blob."""


class BlobCorruptError(NetworkError):
    """A blob's bytes do not have the digest or the size that its reference names."""


class OverloadedError(NetworkError):
    """Too much work waits already; the message says how much, and how much may."""


class NoQuorumError(NetworkError):
    """Too few members of an ensemble answered; the message names those missing, and why."""


class StorageError(SwarmError):
    """The disk is full, read-only or damaged."""


class LearningError(SwarmError):
    """The computation is impossible with these inputs."""


class NoContributionsError(LearningError):
    """There is no contribution to average."""


class ShapeMismatchError(LearningError):
    """Weights of different models were mixed."""


class DataError(LearningError):
    """A data set is missing or malformed; the message gives the file and the rule."""


class StrategyError(SwarmError):
    """A study's own strategy raised an exception, or suggested values that break a rule."""


class WorkerDiedError(SwarmError):
    """A worker process ended before it answered."""


class EndedError(SwarmError):
    """A peer in a thread of its own has ended and takes no more requests."""


def only_error(error: BaseException) -> BaseException:
    """Return the single error inside nested groups of one; a group of several stays as it is.

    Trio wraps the error of a task in one such group for each nursery.
    """
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
