"""Where a client's policy meets the client's CRM: which fields it asks for, of which types, and
whether the CRM could take what it writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from datetime import date
from types import MappingProxyType

import msgspec

from connector.errors import ConfigurationError
from connector.needs import BURST, Needs
from connector.ports import Adapter, FieldInfo, Schema
from connector.warehouse import Warehouse
from connector.workspace import Workspace, replace_file
from policies.evaluation.row_sql import reads_money
from policies.language.metrics import METRICS
from policies.language.tree import (
    Attribute,
    CustomField,
    MetricValue,
    Node,
    RowColumn,
    leaves,
    walk,
)
from policies.language.vocabulary import ATTRIBUTES, TABLES, Type
from policies.model import Policy
from policies.policy import load_policy
from policies.shadows import reads_activities
from policies.suggestion import nearest

_STATUS_TYPES = frozenset({"text", "choice", "other"})
_TYPES: Mapping[str, Type] = MappingProxyType(
    {
        "text": Type.TEXT,
        "choice": Type.TEXT,
        "reference": Type.TEXT,
        "integer": Type.INTEGER,
        "number": Type.NUMBER,
        "money": Type.MONEY,
        "boolean": Type.BOOLEAN,
        "date": Type.DATE,
        "datetime": Type.MOMENT,
    }
)


def known_schema(workspace: Workspace, adapter: Adapter, *, fresh: bool = False) -> Schema:
    """What the CRM can do, as it said at the last `check`; asked once and then remembered."""
    schema = None if fresh else remembered_schema(workspace)
    if schema is None:
        schema = adapter.describe()
        replace_file(workspace.schema_path, msgspec.json.encode(schema))
    return schema


def remembered_schema(workspace: Workspace) -> Schema | None:
    """What the CRM said of itself before; None when it was never asked."""
    with suppress(FileNotFoundError, msgspec.DecodeError):  # as another version wrote it
        return msgspec.json.decode(workspace.schema_path.read_bytes(), type=Schema)
    return None


def load_client_policy(workspace: Workspace, overrides: Mapping[str, str] | None = None) -> Policy:
    """The client's policy, with its fields typed as the CRM said before. Raises `FileProblems`."""
    schema = remembered_schema(workspace)
    fields = field_types(schema) if schema else {}
    return load_policy(workspace.policy_path, overrides or {}, fields)


def field_types(schema: Schema) -> dict[str, Type]:
    """The types of all fields by API name; a name that means different types is left out."""
    found: dict[str, set[Type]] = {}
    for about in schema.objects.values():
        for info in about.fields:
            if info.type in _TYPES:
                found.setdefault(info.name, set()).add(_TYPES[info.type])
    return {name: types.pop() for name, types in found.items() if len(types) == 1}


def custom_fields(policy: Policy) -> dict[str, Type]:
    """The CRM's own fields that the policy asks for, and their types."""
    return {leaf.name: leaf.kind for leaf in _leaves(policy) if isinstance(leaf, CustomField)}


def readers_of(policy: Policy, attribute: str) -> tuple[str, ...]:
    """The rules, protections and limits that ask for an attribute, by their names."""
    asked = Attribute(attribute)
    parts = [(rule.id, rule.conditions) for rule in policy.rules]
    parts += [(item.id, (item.when,)) for item in policy.protections]
    parts += [("limits.money", (policy.limits.money.of,))] if policy.limits.money else []
    return tuple(
        name
        for name, conditions in parts
        if any(asked in leaves(condition.tree) for condition in conditions)
    )


def derived_columns(policy: Policy) -> frozenset[str]:
    """What has to be worked out while staging, because the policy asks for it."""
    names: set[str] = set()
    for leaf in _leaves(policy):
        if isinstance(leaf, Attribute) and ATTRIBUTES[leaf.name].derived:
            names.add(leaf.name)
        if isinstance(leaf, MetricValue):
            rows = (item for part in (leaf.rows, leaf.after) if part for item in walk(part))
            columns = (item for item in rows if isinstance(item, RowColumn))
            names.update(c.name for c in columns if TABLES[c.table].column(c.name).derived)
    if any(rule.kind == "pool" and reads_activities(rule) for rule in policy.rules):
        names.add(BURST)  # what keeps a customer out of the pool may be there for show
    return frozenset(names)


def money_tables(policy: Policy) -> tuple[str, ...]:
    """The facts tables of whose amounts the policy asks anything, in the order of their names."""
    facts = set()
    for leaf in _leaves(policy):
        if isinstance(leaf, MetricValue):
            conditions = [part for part in (leaf.rows, leaf.after) if part is not None]
            if leaf.type is Type.MONEY or any(map(reads_money, conditions)):
                facts.add(METRICS[leaf.name].fact)
    return tuple(sorted(facts))


def policy_needs(policy: Policy, workspace: Workspace) -> Needs:
    """What a pull has to bring, and staging to work out, for this policy."""
    fields = frozenset(custom_fields(policy))
    return Needs(fields, derived_columns(policy), workspace.config.region)


def refuse_lacking(policy: Policy, workspace: Workspace, warehouse: Warehouse) -> None:
    """Refuse to decide from a copy that was staged before the policy asked for something."""
    lacking = warehouse.lacks(policy_needs(policy, workspace))
    if lacking:
        message = f"the staged copy lacks what the policy asks for: {', '.join(sorted(lacking))}"
        raise ConfigurationError(message, "run `highseas pull`, then the same command again")


def _leaves(policy: Policy) -> Iterator[Node]:
    for condition in policy.conditions:
        yield from leaves(condition.tree)


def check_policy_fits(
    policy: Policy, schema: Schema, workspace: Workspace, objects: Collection[str] | None = None
) -> None:
    """Refuse a policy that this CRM could not serve: tags or statuses that it cannot take, fields
    that it does not have, another time zone. `objects` are those whose records are customers; when
    they are not named, one that fits is enough."""
    _check_zone(policy, workspace)
    limit = schema.capabilities.tag_length
    for tag in sorted(policy.managed_tags):
        if limit is not None and len(tag) > limit:
            message = f"tag {tag!r} has {len(tag)} characters, this CRM takes {limit}"
            raise ConfigurationError(message, "shorten it in policy.yaml")
    described = [about for key, about in schema.objects.items() if not objects or key in objects]
    fields = [info for about in described for info in about.fields]
    _check_custom_fields(policy, fields)
    wanted = {stage.status for rule in policy.rules for stage in rule.stages if stage.status}
    name = workspace.status_field
    if name is None:
        _refuse_unmarked(policy)
        return
    if not wanted:
        return
    named = [info for info in fields if info.name == name]
    if not named:
        raise ConfigurationError(f"the CRM has no field {name}", "correct crm.status_field")
    misfits = list(filter(None, (_misfit(info, wanted) for info in named)))
    if misfits and (objects is not None or len(misfits) == len(named)):
        raise misfits[0]


def _check_zone(policy: Policy, workspace: Workspace) -> None:
    zone = policy.timezone
    if zone is not None and zone != workspace.zone:
        message = f"the policy is written for {zone}, the workspace is in {workspace.zone}"
        raise ConfigurationError(message, "make calendar.timezone and timezone the same")


def _check_custom_fields(policy: Policy, fields: Collection[FieldInfo]) -> None:
    types = {info.name: _TYPES.get(info.type) for info in fields}
    for name, kind in sorted(custom_fields(policy).items()):
        first = name.partition(".")[0]
        if first not in types:
            hint = nearest(first, types) or "use a field's API name"
            raise ConfigurationError(f"the CRM's customers have no field {first}", hint)
        if first == name and types[name] is not None and types[name] is not kind:
            message = f"field {name} is {types[name]} in the CRM, the policy says {kind}"
            raise ConfigurationError(message, "correct it below `fields:`, or leave it out there")


def _refuse_unmarked(policy: Policy) -> None:
    """Without a status field, tags and notes have to do."""
    for rule in policy.rules:
        if rule.kind == "void" and not (rule.note or rule.stages[0].tag):
            message = (
                f"rule {rule.id} marks by status alone, and the workspace names no field for it"
            )
            raise ConfigurationError(message, "set crm.status_field, or give the rule a tag")


def _misfit(info: FieldInfo, wanted: set[str]) -> ConfigurationError | None:
    """Why a field cannot show these statuses."""
    hint = "correct crm.status_field"
    if not info.writable:
        return ConfigurationError(f"field {info.name} cannot be written", hint)
    if info.type not in _STATUS_TYPES:
        message = f"field {info.name} is of type {info.type} and cannot show a status"
        return ConfigurationError(message, hint)
    unknown = sorted(wanted - set(info.options)) if info.options else []
    if unknown:
        message = f"{info.name} has no option {', '.join(unknown)}"
        return ConfigurationError(message, f"it takes: {', '.join(info.options)}")
    return None


def uncovered_years(policy: Policy, today: date) -> tuple[int, ...]:
    """Years within the next twelve months of which the policy's calendar knows too little."""
    if policy.calendar is None:
        return ()
    years: tuple[int, ...] = policy.calendar.uncovered_years(
        today, date.fromordinal(today.toordinal() + 365)
    )
    return years
