"""Compares the installed packages with the known vulnerabilities: ``python -m tests.audit``, a part of ``make check``.

It fails where a package has a known vulnerability that another version mends. Where the list of vulnerabilities is not
to be had, because there is no network or a mirror does not offer it, it says so and does not fail.
"""

import json
import subprocess
import sys
from pathlib import Path

_SECONDS = 180  # for all packages; a machine without a network ends sooner
IGNORED: dict[str, str] = {}  # id of a vulnerability: why it does no harm here

Answer = tuple[int, list[str]]  # the exit status, and what to say


def main() -> int:
    """Audits the environment that runs this."""
    command = [str(Path(sys.executable).parent / "pip-audit"), "--local", "--skip-editable", "--format", "json"]
    try:
        told = subprocess.run(
            [*command, "--progress-spinner", "off", "--timeout", "5"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        status, lines = not_audited(f"no answer within {_SECONDS} s")
    else:
        status, lines = verdict(told.stdout, told.stderr)
    print("\n".join(lines))
    return status


def verdict(out: str, err: str) -> Answer:
    """What pip-audit's output means.

    Args:
        out: its JSON.
        err: what it said besides.
    """
    try:
        packages = json.loads(out)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return not_audited((err.strip() or "it said nothing").splitlines()[-1])
    audited = [package for package in packages if "skip_reason" not in package]
    if not audited:
        return not_audited(packages[0]["skip_reason"] if packages else "it found no package")
    lines, fixable = [f"pip-audit: {len(audited)} of {len(packages)} packages compared"], False
    for package in audited:
        for known in package["vulns"]:
            ignored = IGNORED.get(known["id"], "")
            fixable |= bool(known["fix_versions"]) and not ignored
            mended = f"mended in {', '.join(known['fix_versions'])}" if known["fix_versions"] else "not mended anywhere"
            lines.append(f"  {package['name']} {package['version']}: {known['id']}, {ignored or mended}")
    return int(fixable), lines


def not_audited(why: str) -> Answer:
    """The answer where nothing was compared."""
    return 0, [f"pip-audit: NOT COMPARED with the known vulnerabilities: {why}"]


if __name__ == "__main__":
    sys.exit(main())
