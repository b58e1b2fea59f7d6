"""Prints the operations of every AWS service as CloudTrail names them: `cargo xtask event-names`.

Reads the service models of the installed botocore. CloudTrail's eventSource is nearly always the
service's signing name or endpoint prefix. The few exceptions, and events that aren't API calls, are in
crates/rules/data/other-event-names.txt.
"""

import datetime
import gzip
import json
import pathlib

import botocore

data = pathlib.Path(botocore.__file__).parent / "data"
operations: dict[str, set[str]] = {}
for path in sorted(data.glob("*/*/service-2.json*")):
    opened = gzip.open(path) if path.suffix == ".gz" else open(path, "rb")
    with opened as file:
        model = json.load(file)
    metadata = model["metadata"]
    names = {metadata.get("endpointPrefix", ""), metadata.get("signingName", "")}
    # Names such as `api.ecr` are host names only.
    plain = {name for name in names if name and "." not in name}
    for name in plain or {metadata["endpointPrefix"].rsplit(".", 1)[-1]}:
        operations.setdefault(name, set()).update(model["operations"])

print(f"# botocore {botocore.__version__}, {datetime.date.today()}; written by `cargo xtask event-names`")
for name in sorted(operations):
    print(f"{name}: {' '.join(sorted(operations[name]))}")
