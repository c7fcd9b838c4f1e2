"""How models run in ONNX Runtime: on few threads, and without keeping what each length of sound once took."""

from pathlib import Path

from onnxruntime import InferenceSession, SessionOptions

__all__ = ["InferenceSession", "onnx_session"]


def onnx_session(path: Path, threads: int) -> InferenceSession:
    """A model on the processor. Raises what onnxruntime raises; its errors have no common base."""
    options = SessionOptions()
    options.intra_op_num_threads = threads
    # Threads that spin while they wait would take the core that the recognizer needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Its own heap doubles whenever a longer sound needs it, is filled bit by bit and never given back; and it makes a
    # plan for each length of input, and keeps that. Without both, speech takes no longer.
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    return InferenceSession(path, options, providers=["CPUExecutionProvider"])
