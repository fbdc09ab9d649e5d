"""From the text of a customer's condition to the typed tree: what names and functions stand for.

Only what stands in the tables of builders is allowed; anything else is refused with its position.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from sqlglot import exp

from policies.errors import UNTYPED_FIELD
from policies.language import checks
from policies.language.brackets import (
    Brackets,
    metric_node,
    parameter_name,
    read_brackets,
    read_options,
)
from policies.language.checks import Refusal
from policies.language.metrics import FORMULAS, FUNCTIONS, METRICS, MIN_CASES, Formula
from policies.language.reader import Reader, called_name
from policies.language.rows import TODAY
from policies.language.scope import Built, Reading, Scope
from policies.language.syntax import Complaint, parse
from policies.language.tree import (
    Arithmetic,
    Attribute,
    Constant,
    CustomField,
    DataAge,
    DaysSince,
    HasTag,
    IsBlank,
    MetricValue,
    Never,
    Node,
    Rank,
    RankKind,
    Rate,
    Today,
    WorkdaysSince,
    rebuilt,
)
from policies.language.vocabulary import ATTRIBUTES, EVENTS, OWNER_ATTRIBUTES, Type
from policies.suggestion import closest, nearest

# What people call the rest of all customers.
_REST = frozenset(
    {"else", "other", "others", "otherwise", "rest", "default", "sonst", "andere", "否则", "其他"}
    | {"其它", "其余"}
)
_PULLED = (*EVENTS, "people", "customers")
_WORDS = frozenset({TODAY, "tier", "tags"})
_OWN_NAMES: Mapping[str, Collection[str]] = {
    "an attribute": ATTRIBUTES,
    "a metric": {**METRICS, **FORMULAS},
    "a word of the language": _WORDS,
    "a function": FUNCTIONS,
}
_VOCABULARY = frozenset({*ATTRIBUTES, *METRICS, *FORMULAS, *_WORDS})
_FIELD_TYPES = frozenset(Type) - {Type.TAGS, Type.FIELDS}


def build(text: str, scope: Scope, *, condition: bool = True) -> Built:
    """Build the tree of one expression; `condition`: it has to be true or false. Never raises."""
    word = text.strip()
    if word.casefold() in _REST and word not in {*scope.defines, *scope.undefined}:
        hint = "else takes the rest, in the last band of a tier or in the last pool"
        return Built(None, (Complaint(text.index(word), f"'{word}' is no condition", hint),), 1, 1)
    parsed = parse(text)
    if parsed.tree is None:
        return Built(None, tuple(parsed.complaints), 1, 1)
    reading = Reading(text, parsed, scope)
    reader = CustomerReader(reading)
    node = reader.condition(parsed.tree) if condition else reader.value(parsed.tree)
    return reading.built(node)


def own_name(name: str) -> str:
    """What a name of the language itself is; empty for one that a policy is free to give."""
    return next((kind for kind, names in _OWN_NAMES.items() if name in names), "")


class CustomerReader(Reader):
    """Reads an expression about a customer. `narrowed`: inside of a formula, what stood between
    its brackets, and the table whose metrics it goes to."""

    def __init__(self, reading: Reading, narrowed: tuple[str, Brackets] | None = None) -> None:
        super().__init__(reading, "customers")
        self._narrowed = narrowed

    def named(self, name: str, *, quoted: bool) -> Node | None:
        scope = self.reading.scope
        if name in scope.defines:
            defined = scope.defines[name]
            return self.adopt(defined.node, defined.size, defined.depth)
        if name in scope.undefined or (scope.partial and (quoted or name not in _VOCABULARY)):
            return None
        if quoted:
            raise Refusal(f'unknown name "{name}"', f"text stands in single quotes: '{name}'")
        if name in ATTRIBUTES:
            return Attribute(name)
        if name in METRICS or name in FORMULAS:
            return self._bare(name)
        if name == TODAY:
            return Today()
        if name == "tier":
            return self._only_tier()
        if name == "tags":
            raise Refusal("'tags' cannot be compared", "use has_tag('x')")
        raise Refusal(f"unknown name '{name}'", self._closest(name))

    def called(self, name: str, tree: exp.Expr) -> Node | None:
        if name in METRICS:
            return self._metric(name, tree)
        if name in FORMULAS:
            return self._formula(name, tree)
        build_call = _CALLS.get(name)
        return self.unknown_function(tree) if build_call is None else build_call(self, tree)

    def functions(self) -> set[str]:
        return {*FUNCTIONS, *METRICS, *FORMULAS}

    def blank(self, value: Node) -> Node:
        if isinstance(value, CustomField) or (
            isinstance(value, Attribute) and _may_be_empty(value)
        ):
            return IsBlank(value)
        if value.type is Type.MOMENT and not isinstance(value, Today):
            return Never(value)
        raise Refusal(
            f"{checks.described(value)} is never blank: it is known or not",
            "IS NULL is for attributes and moments",
        )

    def _bare(self, name: str) -> Node | None:
        item = METRICS.get(name) or FORMULAS[name]
        if item.windowed:
            raise Refusal(f"'{name}' needs brackets", f"write {name}() or {name}(365)")
        if name in FORMULAS:
            return self._expanded(name, Brackets())
        return metric_node(METRICS[name], self._inside(name, Brackets()), self.reading.scope)

    def _closest(self, name: str) -> str:
        scope = self.reading.scope
        plain = {item for item, metric in METRICS.items() if not metric.windowed}
        plain |= {item for item, formula in FORMULAS.items() if not formula.windowed}
        valid = {*ATTRIBUTES, *plain, *scope.defines, TODAY, "tier"}
        return self.meant(name, valid, self.functions())

    def _only_tier(self) -> Node | None:
        tiers = self.reading.scope.tiers
        if len(tiers) > 1:
            names = " or ".join(f"tier('{name}')" for name in tiers)
            raise Refusal("this policy has several tier rules", f"write {names}")
        if self.reading.scope.partial:
            return None
        if not tiers:
            raise Refusal("there is no tier rule to ask for", "add one to rules:")
        return self.adopt_whole(next(iter(tiers.values())))

    def _inside(self, name: str, brackets: Brackets) -> Brackets:
        """Within a formula, its own condition goes to the metrics of its table."""
        if self._narrowed is None or METRICS[name].fact != self._narrowed[0]:
            return brackets
        return brackets.narrowed_by(self._narrowed[1])

    def _metric(self, name: str, tree: exp.Expr) -> Node | None:
        metric = METRICS[name]
        brackets = read_brackets(self, tree, metric, ("else",))
        if brackets is None:
            return None
        return metric_node(metric, self._inside(name, brackets), self.reading.scope)

    def _formula(self, name: str, tree: exp.Expr) -> Node | None:
        brackets = read_brackets(self, tree, FORMULAS[name], ("min_n", "else"))
        return None if brackets is None else self._expanded(name, brackets)

    def _expanded(self, name: str, brackets: Brackets) -> Node | None:
        """The tree of a formula; those without a condition are built once for each policy."""
        scope, formula = self.reading.scope, FORMULAS[name]
        if brackets.rows is not None:
            return self.adopt_whole(formula_tree(formula, brackets, scope))
        key = f"formula {name} {brackets.days} {brackets.days_name}"
        if key not in scope.memo:
            window = Brackets(brackets.days, days_name=brackets.days_name)
            scope.memo[key] = formula_tree(formula, window, scope)
        return self.adopt_whole(_with_options(scope.memo[key], brackets))

    def _days(self, tree: exp.Expr) -> tuple[Node, Node | None] | None:
        """The moment and the one after `else:` of days_since and workdays_since."""
        name = called_name(tree)
        if len(tree.expressions) == 2 and not isinstance(tree.expressions[1], exp.PropertyEQ):
            raise Refusal("the second moment is named", f"write {FUNCTIONS[name].form}")
        arguments = self.arguments(tree, 1, 1, ("else",))
        parts = self.values([*arguments.plain, *arguments.named.values()])
        if parts is None:
            return None
        for part in parts:
            checks.check_moment(name, part)
        moment = parts[0]
        if len(parts) == 2:
            if not checks.may_be_blank(moment):
                raise Refusal("else: is for moments that may never have been", "leave it out")
            return moment, parts[1]
        return moment, Attribute("created_at") if checks.may_never_be(moment) else None

    def days_since(self, tree: exp.Expr) -> Node | None:
        days = self._days(tree)
        return None if days is None else DaysSince(*days)

    def workdays_since(self, tree: exp.Expr) -> Node | None:
        if not self.reading.scope.has_calendar:
            raise Refusal("workdays_since needs a calendar", "add calendar: {holidays: CN}")
        days = self._days(tree)
        return None if days is None else WorkdaysSince(*days)

    def days_until(self, tree: exp.Expr) -> Node | None:
        date = self.value(self.arguments(tree, 1, 1).plain[0])
        if date is None:
            return None
        checks.check_moment("days_until", date)
        if not isinstance(date, CustomField):
            hint = f"write days_since({checks.described(date)})"
            raise Refusal("days_until takes a date of the CRM that may lie ahead", hint)
        return Arithmetic("-", Constant(0), DaysSince(date, None), Type.INTEGER)

    def never(self, tree: exp.Expr) -> Node | None:
        moment = self.value(self.arguments(tree, 1, 1).plain[0])
        if moment is None:
            return None
        checks.check_moment("never", moment)
        return self.blank(moment)

    def has_tag(self, tree: exp.Expr) -> Node | None:
        tag = self._text(tree, "a tag")
        return None if tag is None else HasTag(tag)

    def custom_field(self, tree: exp.Expr) -> Node | None:
        name = self._text(tree, "the API name of a field")
        if name is None:
            return None
        kind = self.reading.scope.fields.get(name)
        if kind is None and self.reading.scope.partial:
            return None
        if kind is None:
            raise self._unknown_field(name)
        if kind not in _FIELD_TYPES:
            raise Refusal(f"field('{name}') holds {kind}, which no condition can read")
        return CustomField(name, kind)

    def _unknown_field(self, name: str) -> Refusal:
        scope = self.reading.scope
        declare = f"declare it: fields: {{{name}: number}}"
        if not scope.knows_crm:
            hint = f"run `highseas check` in the workspace, or {declare}"
            message = f"the type of field('{name}') is not known"
            return Refusal(message, hint, UNTYPED_FIELD)
        near = closest(name, scope.fields)
        hint = (
            f"did you mean '{near}'?"
            if near
            else f"if it is new, run `highseas check`, or {declare}"
        )
        message = f"the CRM has no field('{name}') that a condition can read"
        return Refusal(message, hint, UNTYPED_FIELD)

    def tier(self, tree: exp.Expr) -> Node | None:
        if not tree.expressions:
            return self._only_tier()
        name = self._text(tree, "the name of a tier rule")
        scope = self.reading.scope
        if name is None or name in scope.undefined or (scope.partial and name not in scope.tiers):
            return None
        tiers = scope.tiers
        if name not in tiers:
            raise Refusal(f"there is no tier rule '{name}'", nearest(name, tiers))
        return self.adopt_whole(tiers[name])

    def data_age(self, tree: exp.Expr) -> Node | None:
        fact = self._text(tree, "the name of a facts table")
        if fact is None:
            return None
        if fact not in _PULLED:
            raise Refusal(f"there is no facts table '{fact}'", nearest(fact, _PULLED))
        return DataAge(fact)

    def _text(self, tree: exp.Expr, what: str) -> str | None:
        """The only argument, a text in quotes."""
        name = called_name(tree)
        node = self.value(self.arguments(tree, 1, 1).plain[0])
        if node is None:
            return None
        value = node.value if isinstance(node, Constant) else None
        if not isinstance(value, str) or not value.strip():
            raise Refusal(f"{name} takes {what} in quotes", f"write {FUNCTIONS[name].form}")
        return value

    def rank(self, tree: exp.Expr) -> Node | None:
        name = called_name(tree)
        is_abc = name == RankKind.ABC.value
        if is_abc and len(tree.expressions) == 2:
            raise Refusal("abc takes two shares or none", f"write {FUNCTIONS[name].form}")
        parts = self.values(self.arguments(tree, 1, 3 if is_abc else 1).plain)
        if parts is None:
            return None
        value, *shares = parts
        checks.check_rank(name, value)
        if shares:
            names = tuple(map(parameter_name, shares))
            return Rank(RankKind(name), value, checks.check_shares(shares), names)
        return Rank(RankKind(name), value)

    def rate(self, tree: exp.Expr) -> Node | None:
        arguments = self.arguments(tree, 2, 2, ("min_n", "else"))
        parts = self.values(arguments.plain)
        options = read_options(self, arguments.named)
        if parts is None or options is None:
            return None
        part, whole = parts
        checks.check_rate(part, whole)
        min_n = MIN_CASES if options.min_n is None else options.min_n
        return Rate(part, whole, min_n, options.otherwise, options.min_n_name)


def formula_tree(formula: Formula, brackets: Brackets, scope: Scope) -> Node | None:
    """The tree of a formula; None if a clock of the policy is wrong."""
    days = "" if brackets.days is None else f"{brackets.days}, "
    text = formula.text.replace("$days, ", days).replace("$days", days.removesuffix(", "))
    parsed = parse(text)
    reading = Reading(text, parsed, scope)
    node = None
    if parsed.tree is not None:
        node = CustomerReader(reading, (formula.fact, brackets)).value(parsed.tree)
    if parsed.complaints or reading.complaints:
        message = f"a formula is defined by a text that cannot be read: {text}"
        raise ValueError(message)
    named = None if node is None else rebuilt(node, lambda item: _with_days_name(item, brackets))
    return _with_options(named, brackets)


def _with_days_name(node: Node, brackets: Brackets) -> Node | None:
    """The window of a formula's metrics is the one that the author named."""
    if isinstance(node, MetricValue) and node.days is not None:
        return replace(node, days_name=brackets.days_name)
    return None


def _with_options(node: Node | None, brackets: Brackets) -> Node | None:
    """A formula is a rate, and its options are those of the rate."""
    if not isinstance(node, Rate):
        return node
    min_n = node.min_n if brackets.min_n is None else brackets.min_n
    name = brackets.min_n_name
    return replace(node, min_n=min_n, otherwise=brackets.otherwise, min_n_name=name)


def _may_be_empty(attribute: Attribute) -> bool:
    """A moment of the customer itself never was, or was; what follows from others is no field."""
    if attribute.type is Type.MOMENT or attribute.name in OWNER_ATTRIBUTES:
        return ATTRIBUTES[attribute.name].changeable
    return not ATTRIBUTES[attribute.name].derived


_CALLS: Mapping[str, Callable[[CustomerReader, exp.Expr], Node | None]] = {
    "days_since": CustomerReader.days_since,
    "workdays_since": CustomerReader.workdays_since,
    "days_until": CustomerReader.days_until,
    "never": CustomerReader.never,
    "has_tag": CustomerReader.has_tag,
    "field": CustomerReader.custom_field,
    "tier": CustomerReader.tier,
    "data_age": CustomerReader.data_age,
    "quintile": CustomerReader.rank,
    "abc": CustomerReader.rank,
    "rate": CustomerReader.rate,
    "if": CustomerReader.choice,
}
