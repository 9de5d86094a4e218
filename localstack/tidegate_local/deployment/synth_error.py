"""What the CDK app itself said when it refused to be synthesised, in the log of CDK, which puts its own words below."""

from pathlib import Path

# app.py begins its sentence so.
_BEGINS = "tidegate: "
# CDK's first line after the app's last one.
_ENDS = ("Subprocess exited with error", "Synthesis finished with errors")


def synth_error(log: Path) -> str | None:
    """Return the app's last sentence in a log, with the lines that belong to it; None: it said nothing."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    ends = next((place for place, line in enumerate(lines) if line.startswith(_ENDS)), 0)
    begins = [place for place, line in enumerate(lines[:ends]) if line.startswith(_BEGINS)]
    return "\n".join(lines[begins[-1] : ends]).strip().removeprefix(_BEGINS) if begins else None
