"""Every error this project raises.

SwarmError
├── ConfigurationError        the user's flags, files or environment: say what to change, exit 2
├── ProtocolError
│   ├── LocalProtocolError    we broke the rules: a bug here, let it end the peer
│   └── RemoteProtocolError   a peer broke them: drop its message, keep running
├── NetworkError              usually worth a retry
│   ├── PeerUnreachableError
│   ├── BlobNotFoundError
│   └── BlobCorruptError
├── StorageError              the disk did not do what was asked: leave cleanly
├── LearningError             the maths cannot be done with these inputs
│   ├── NoContributionsError
│   ├── ShapeMismatchError
│   └── DataError             a data set is missing or malformed
├── StrategyError             a study's own strategy is wrong: the study ends, the peer does not
├── WorkerDiedError           the worker process ended in the middle of a job: restart, try again
└── EndedError                what was asked runs no more: start another one
"""


class SwarmError(Exception):
    """Base of all errors raised on purpose by this project."""


class ConfigurationError(SwarmError):
    """A flag, an environment variable or a file is wrong; the message names value and rule."""


class ProtocolError(SwarmError):
    """A rule of the swarm's protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our own code broke a rule; a bug, so let it end the peer."""


class RemoteProtocolError(ProtocolError):
    """A peer broke a rule; drop the message and keep running."""


class NetworkError(SwarmError):
    """The network did not do what was asked; usually worth a retry."""


class PeerUnreachableError(NetworkError):
    """No connection to the peer could be opened, or it broke."""


class BlobNotFoundError(NetworkError):
    """None of the asked holders has the blob."""


class BlobCorruptError(NetworkError):
    """A blob's bytes do not have the digest or size they were promised to have."""


class StorageError(SwarmError):
    """The disk is full, read-only or damaged."""


class LearningError(SwarmError):
    """The maths cannot be done with these inputs."""


class NoContributionsError(LearningError):
    """There is nothing to average."""


class ShapeMismatchError(LearningError):
    """Weights of different models were mixed."""


class DataError(LearningError):
    """A data set is missing or malformed; the message names the file and the rule."""


class StrategyError(SwarmError):
    """A strategy that a study brings raised something, or suggested what it must not."""


class WorkerDiedError(SwarmError):
    """The worker process ended before it answered."""


class EndedError(SwarmError):
    """A peer in a thread of its own has ended, and cannot be asked any more."""


def only_error(error: BaseException) -> BaseException:
    """The one error in groups of one, as tasks wrap it; a group of several stays as it is."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
