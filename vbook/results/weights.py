"""Trained networks that pages need: float16 safetensors beside the record that measured them, encoder and decoder apart."""

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path

from vbook.devices import check_device
from vbook.errors import VbookError
from vbook.models import VAE, vae
from vbook.results.files import find_record, vouched
from vbook.results.record import PARTS, write_with

LIMIT = 1_100_000  # bytes a file: they travel in the wheel and in pages


def save_weights(
    model: VAE, experiment: str, profile: str, architecture: dict, folder: Path, files: ExitStack | None = None
) -> dict:
    """Write ``model``'s decoder, and its encoder if it has one, under ``folder``; returns the ``artefacts`` entry of the record.

    ``architecture`` holds the arguments of ``vbook.models.vae`` that rebuild the model. Raises VbookError above 1.1 MB a file
    and where a file can't be written. With ``files`` they are put in their places when these all are.
    """
    from safetensors.torch import save

    artefacts = {}
    for part in PARTS:
        if getattr(model, part) is None:
            continue
        state = {k: v.detach().half().cpu().contiguous() for k, v in getattr(model, part).state_dict().items()}
        # One key: safetensors writes several in any order, and the same weights would not be the same bytes.
        blob = save(state, metadata={"vbook": json.dumps({"architecture": architecture, "part": part}, sort_keys=True)})
        if len(blob) > LIMIT:
            raise VbookError(f"{experiment}: the {part} takes {len(blob):,} bytes as float16, more than {LIMIT:,}")
        path = Path(folder) / f"{experiment}.{profile}.{part}.safetensors"
        write_with(files, path, blob)
        artefacts[part] = {"file": path.name, "sha256": hashlib.sha256(blob).hexdigest(), "architecture": architecture}
    return artefacts


def load_model(record_id: str, device=None) -> VAE:
    """The trained VAE of a record, from its float16 weights; where the record keeps a decoder alone, it has no encoder.

    VbookError when a file is missing or is not the one measured.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    record, device = find_record(record_id), check_device("cpu" if device is None else device)
    if not record.artefacts:
        raise VbookError(f"record {record_id!r} keeps no weights")
    try:
        model = vae(**record.artefacts["decoder"]["architecture"])
    except (VbookError, TypeError, RuntimeError, OverflowError) as error:
        raise VbookError(f"record {record_id!r}: its architecture makes no network ({_first_line(error)})") from error
    for part in PARTS:
        if part not in record.artefacts:
            setattr(model, part, None)
            continue
        entry = record.artefacts[part]
        blob = vouched(entry, "weights")
        try:
            getattr(model, part).load_state_dict({k: v.float() for k, v in load(blob).items()})
        except (RuntimeError, SafetensorError) as error:
            raise VbookError(f"{entry['file']}: does not fit the record's architecture ({_first_line(error)})") from error
    return model.to(device).eval()


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n")[:2]).strip()
