"""The error objects that Lambda itself answers with, where the function can't.

Their types and messages are those of AWS: https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
"""

import json
import signal

# Lambda's limit of a synchronous answer: 6 MB and a little for the envelope.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024 + 100


def timed_out(request_id: str, timeout_s: float) -> bytes:
    """Return the error of an invocation that took longer than the function's timeout."""
    return _error("Sandbox.Timedout", f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds")


def ended(request_id: str, status: int) -> bytes:
    """Return the error of a process that ended in the midst, by an exit status or minus a signal's number."""
    return _error("Runtime.ExitError", f"RequestId: {request_id} Error: {_reason(status)}")


def too_large(size_bytes: int) -> bytes:
    """Return the error of an answer above Lambda's limit."""
    return _error(
        "Function.ResponseSizeTooLarge",
        f"Response payload size ({size_bytes} bytes) exceeded maximum allowed payload size "
        f"({MAX_PAYLOAD_BYTES} bytes).",
    )


def _reason(status: int) -> str:
    if status == 0:
        return "Runtime exited without providing a reason"
    if status > 0:
        return f"Runtime exited with error: exit status {status}"
    # As Go's syscall.Signal writes it, in which Lambda is written: "killed", "segmentation fault".
    return f"Runtime exited with error: signal: {(signal.strsignal(-status) or str(-status)).lower()}"


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
