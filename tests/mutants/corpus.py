"""All mutants."""

from tests.mutants.batches import BATCH_MUTANTS
from tests.mutants.bench import Mutant
from tests.mutants.delegation import DELEGATION_MUTANTS
from tests.mutants.envelope import ENVELOPE_MUTANTS
from tests.mutants.evm import EVM_MUTANTS
from tests.mutants.psbt import PSBT_MUTANTS
from tests.mutants.unsticking import UNSTICKING_MUTANTS

CORPUS: tuple[Mutant, ...] = (
    *PSBT_MUTANTS,
    *EVM_MUTANTS,
    *BATCH_MUTANTS,
    *DELEGATION_MUTANTS,
    *ENVELOPE_MUTANTS,
    *UNSTICKING_MUTANTS,
)
