"""The last step: proofs and statement into one file that passes its own check, or none at all."""

import tempfile
from pathlib import Path

from wallet.reserves.context import Progress, ReservesContext, ignore_progress
from wallet.reserves.errors import NotChecked
from wallet.reserves.packing import package_bytes
from wallet.reserves.publication import Publication, write_whole
from wallet.reserves.signing import Signing
from wallet.reserves.verifier.checking import Report, check_package
from wallet.reserves.verifier.package import read_package


def publish(
    context: ReservesContext, publication: Publication, progress: Progress = ignore_progress
) -> Report:
    """Write the package of a signed publication; again gives the same file.

    Raises Unsigned, SignersRefused or BadProof; NotChecked with the codes of what failed, for
    example `sums.short` where less is shown to be held than is owed.
    """
    data = package_bytes(publication.data, Signing(context, publication).proofs())
    with tempfile.TemporaryDirectory(dir=publication.folder) as folder:
        made = Path(folder, "package.zip")
        made.write_bytes(data)
        report = check_package(
            read_package(made), lambda done, total: progress("checking proofs", done, total)
        )
    if not report.holds:
        codes = sorted({failed.code for failed in report.failures})
        raise NotChecked(
            f"the package does not hold: {'; '.join(str(failed) for failed in report.failures)}",
            {"codes": codes},
        )
    write_whole(publication.package, data, 0o644)
    context.milestone("reserves.published")
    return report
