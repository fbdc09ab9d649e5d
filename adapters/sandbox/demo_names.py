"""Words for invented companies and places; every combination is made up."""

from __future__ import annotations

CHINESE_FIRST = "澜屿朔栎沐砚穗苇垣峤霁岑鹿璞昀汐槿棠樾泊"
CHINESE_SECOND = "舟禾青川岚石原杭蓝逸云泽行山岸南越庭远铎"
CHINESE_TRADE = (
    *("精密机械", "电子材料", "自动化设备", "包装制品", "精细化工", "仓储物流", "工业阀门"),
    *("五金工具", "检测仪器", "新能源科技", "纺织原料", "食品配料", "医疗器材", "照明工程"),
)
CHINESE_FORM = ("有限公司", "股份有限公司", "贸易有限公司", "(华东)有限公司", "集团有限公司")
ENGLISH_FIRST = (
    *("Alder", "Brindle", "Cor", "Dun", "Esker", "Fenni", "Gild", "Harrow", "Ivel", "Juni"),
    *("Kest", "Lum", "Marrow", "North", "Oaken", "Pellu", "Quill", "Rook", "Silver", "Thistle"),
)
ENGLISH_SECOND = (
    *("wick ", "moor ", "vane ", "marrow ", "line ", "vale ", "haven ", "mere ", "stone "),
    *("row ", "brane ", "field ", "brim ", "rill ", "gate "),
)
ENGLISH_TRADE = (
    *("Tooling", "Components", "Logistics", "Polymers", "Instruments", "Packaging", "Valves"),
    *("Textiles", "Lighting", "Automation", "Foods", "Medical", "Metals", "Optics"),
)
ENGLISH_FORM = (" Ltd", " LLC", " GmbH", " B.V.", " Inc", " Pte Ltd")
CHINESE = (CHINESE_FIRST, CHINESE_SECOND, CHINESE_TRADE, CHINESE_FORM)
ENGLISH = (ENGLISH_FIRST, ENGLISH_SECOND, ENGLISH_TRADE, ENGLISH_FORM)

# Country, states: the sandbox sells at home and abroad.
PLACES = (
    ("中国", ("上海", "江苏", "浙江", "广东", "山东", "四川", "湖北")),
    ("United States", ("Ohio", "Texas", "Oregon", "Georgia")),
    ("Germany", ("Hessen", "Sachsen", "Bayern")),
    ("Singapore", ("Singapore",)),
)
TEAMS = ("华东", "华南", "Overseas")
TAGS = (("key-account", 0.03), ("展会2025", 0.08), ("newsletter", 0.10), ("老客户", 0.05))
NOTES = (
    "客户要求下季度再联系。",
    "Asked for a new price list at the spring fair.",
    "付款条件：月结60天。",
    "Prefers e-mail; the buyer is on leave until the end of the month.",
)
CALLS = ("Follow-up", "回访", "Quotation", "报价跟进", "Delivery date", "新品介绍")
VISITS = ("现场拜访", "Plant visit", "技术交流", "Contract review", "年度回顾")
CASES = ("交期延误", "Damaged packaging", "发票错误", "Question about an invoice", "质量问题")
