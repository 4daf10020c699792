"""What can go wrong, each kind with a class of its own.

Arguments of a wrong type or value are Python's own `TypeError` and `ValueError`, raised before anything is computed.
"""

from pacemark._native import EngineClosedError, EngineError, ModelError, PacemarkError, RequestError

__all__ = ["EngineClosedError", "EngineError", "ModelError", "PacemarkError", "RequestError"]
