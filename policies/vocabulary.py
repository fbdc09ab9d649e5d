"""The tables that policies are written against, as data. Mapping and warehouse build on it too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

LANGUAGE_VERSION = 1
LANGUAGES = ("zh-CN", "en")


class Type(StrEnum):
    """The types of columns and expressions. `number` is a decimal without a currency."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"
    BOOLEAN = "boolean"
    DATE = "date"
    MOMENT = "moment"
    TAGS = "tags"


SQL_TYPES: Mapping[Type, str] = MappingProxyType(
    {
        Type.TEXT: "VARCHAR",
        Type.INTEGER: "BIGINT",
        Type.NUMBER: "DECIMAL(38,6)",
        Type.MONEY: "DECIMAL(18,4)",
        Type.BOOLEAN: "BOOLEAN",
        Type.DATE: "DATE",
        Type.MOMENT: "TIMESTAMP",
        Type.TAGS: "VARCHAR[]",
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `changeable`: the CRM forgets its past, so that it is unknown before our first
    version of the record. `usable`: a condition may name it."""

    name: str
    type: Type
    zh: str
    en: str
    changeable: bool = False
    usable: bool = False

    def label(self, language: str) -> str:
        return self.zh if language == "zh-CN" else self.en


@dataclass(frozen=True, slots=True)
class Table:
    """A facts table; those with `happened_at` hold events of a customer."""

    name: str
    zh: str
    en: str
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        return self.by_name[name]

    @property
    def by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}

    @property
    def is_event(self) -> bool:
        return "happened_at" in self.by_name


def _text(name: str, zh: str, en: str) -> Column:
    return Column(name, Type.TEXT, zh, en)


def _attribute(name: str, zh: str, en: str) -> Column:
    return Column(name, Type.TEXT, zh, en, changeable=True, usable=True)


_EVENT = (
    _text("customer", "客户", "customer"),
    _text("id", "编号", "id"),
    _text("source", "来源", "source"),
    Column("happened_at", Type.MOMENT, "发生时间", "happened at"),
    Column("recorded_at", Type.MOMENT, "录入时间", "recorded at"),
)
_MONEY = (
    Column("amount", Type.MONEY, "金额", "amount"),
    _text("currency", "币种", "currency"),
)

_TABLES = (
    Table(
        "customers",
        "客户",
        "customers",
        (
            _text("key", "键", "key"),
            _text("object", "对象", "object"),
            _text("id", "编号", "id"),
            _attribute("name", "名称", "name"),
            _attribute("owner_id", "负责人", "owner"),
            Column("created_at", Type.MOMENT, "创建日期", "created", usable=True),
            Column("modified_at", Type.MOMENT, "修改日期", "modified"),
            Column("owned_since", Type.MOMENT, "现负责人接手日期", "owned since", usable=True),
            _text("version", "版本", "version"),
            Column("tags", Type.TAGS, "标签", "tags", changeable=True),
            _attribute("status", "状态", "status"),
            _attribute("phone", "电话", "phone"),
            _attribute("email", "邮箱", "e-mail"),
            _attribute("country", "国家", "country"),
            _attribute("region", "地区", "region"),
            _attribute("industry", "行业", "industry"),
            Column("first_seen_on", Type.DATE, "首次取得日期", "first seen on"),
        ),
    ),
    Table(
        "people",
        "人员",
        "people",
        (
            _text("id", "编号", "id"),
            _text("name", "姓名", "name"),
            Column("active", Type.BOOLEAN, "在职", "active"),
            _text("manager_id", "上级", "manager"),
            _text("department", "部门", "department"),
            _text("region", "地区", "region"),
        ),
    ),
    Table(
        "activities",
        "互动",
        "activities",
        (
            *_EVENT,
            _text("kind", "类型", "kind"),
            _text("direction", "方向", "direction"),
            _text("outcome", "结果", "outcome"),
            Column("seconds", Type.INTEGER, "时长（秒）", "seconds"),
            _text("owner_id", "负责人", "owner"),
        ),
    ),
    Table(
        "deals",
        "商机",
        "deals",
        (
            *_EVENT,
            Column("closed_at", Type.MOMENT, "结束时间", "closed at"),
            _text("stage", "阶段", "stage"),
            _text("state", "状态", "state"),
            *_MONEY,
        ),
    ),
    Table("orders", "订单", "orders", (*_EVENT, _text("number", "单号", "number"), *_MONEY)),
    Table("returns", "退货", "returns", (*_EVENT, _text("number", "单号", "number"), *_MONEY)),
    Table(
        "sources",
        "数据来源",
        "sources",
        (
            _text("fact", "数据表", "table"),
            Column("complete", Type.BOOLEAN, "完整", "complete"),
            Column("since", Type.DATE, "起始日期", "since"),
            Column("pulled_at", Type.MOMENT, "拉取时间", "pulled at"),
        ),
    ),
)

TABLES: Mapping[str, Table] = MappingProxyType({table.name: table for table in _TABLES})
CUSTOMERS = TABLES["customers"]
ATTRIBUTES: Mapping[str, Column] = MappingProxyType(
    {column.name: column for column in CUSTOMERS.columns if column.usable}
)
