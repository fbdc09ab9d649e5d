"""Which country a CRM's country field names: two letters, or a name in common use."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import phonenumbers

# English, Chinese and German names of the countries that customers are mostly in, and the short
# forms that people type. A name that is not here leaves national numbers undecided, no more.
_NAMES = """
AE United Arab Emirates|UAE|阿联酋|阿拉伯联合酋长国|Vereinigte Arabische Emirate
AR Argentina|阿根廷|Argentinien
AT Austria|奥地利|Österreich
AU Australia|澳大利亚|澳洲|Australien
BD Bangladesh|孟加拉国|孟加拉|Bangladesch
BE Belgium|比利时|Belgien
BG Bulgaria|保加利亚|Bulgarien
BR Brazil|Brasil|巴西|Brasilien
CA Canada|CAN|加拿大|Kanada
CH Switzerland|瑞士|Schweiz
CL Chile|智利
CN China|CHN|PRC|P.R. China|PR China|People's Republic of China|Mainland China|中国
CN 中华人民共和国|中国大陆
CO Colombia|哥伦比亚|Kolumbien
CZ Czech Republic|Czechia|捷克|Tschechien
DE Germany|DEU|GER|德国|Deutschland
DK Denmark|丹麦|Dänemark
EE Estonia|爱沙尼亚|Estland
EG Egypt|埃及|Ägypten
ES Spain|España|西班牙|Spanien
FI Finland|芬兰|Finnland
FR France|FRA|法国|Frankreich
GB United Kingdom|UK|U.K.|GBR|Great Britain|England|Scotland|Wales|英国
GB Großbritannien|Vereinigtes Königreich
GR Greece|希腊|Griechenland
HK Hong Kong|Hongkong|香港|中国香港|Hong Kong SAR
HR Croatia|克罗地亚|Kroatien
HU Hungary|匈牙利|Ungarn
ID Indonesia|印度尼西亚|印尼|Indonesien
IE Ireland|爱尔兰|Irland
IL Israel|以色列
IN India|IND|印度|Indien
IT Italy|ITA|Italia|意大利|Italien
JP Japan|JPN|日本
KE Kenya|肯尼亚|Kenia
KH Cambodia|柬埔寨|Kambodscha
KR South Korea|Korea|Republic of Korea|KOR|韩国|大韩民国|Südkorea
KZ Kazakhstan|哈萨克斯坦|Kasachstan
LA Laos|老挝
LK Sri Lanka|斯里兰卡
LT Lithuania|立陶宛|Litauen
LU Luxembourg|卢森堡|Luxemburg
LV Latvia|拉脱维亚|Lettland
MA Morocco|摩洛哥|Marokko
MM Myanmar|Burma|缅甸
MN Mongolia|蒙古|Mongolei
MO Macao|Macau|澳门|中国澳门
MX Mexico|México|墨西哥|Mexiko
MY Malaysia|马来西亚
NG Nigeria|尼日利亚
NL Netherlands|The Netherlands|Holland|荷兰|Niederlande
NO Norway|挪威|Norwegen
NZ New Zealand|新西兰|Neuseeland
PE Peru|秘鲁
PH Philippines|菲律宾|Philippinen
PK Pakistan|巴基斯坦
PL Poland|波兰|Polen
PT Portugal|葡萄牙
QA Qatar|卡塔尔|Katar
RO Romania|罗马尼亚|Rumänien
RS Serbia|塞尔维亚|Serbien
RU Russia|Russian Federation|RUS|俄罗斯|俄罗斯联邦|Russland
SA Saudi Arabia|沙特阿拉伯|沙特|Saudi-Arabien
SE Sweden|瑞典|Schweden
SG Singapore|SGP|新加坡|Singapur
SI Slovenia|斯洛文尼亚|Slowenien
SK Slovakia|斯洛伐克|Slowakei
TH Thailand|泰国
TR Turkey|Türkiye|土耳其|Türkei
TW Taiwan|台湾|中国台湾|台湾地区|臺灣
UA Ukraine|乌克兰
US United States|United States of America|USA|U.S.A.|U.S.|America|美国
US Vereinigte Staaten|Vereinigte Staaten von Amerika
UZ Uzbekistan|乌兹别克斯坦|Usbekistan
VN Vietnam|Viet Nam|越南
ZA South Africa|南非|Südafrika
"""


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip().casefold()


def _known() -> Iterator[tuple[str, str]]:
    for line in _NAMES.strip().splitlines():
        code, _, names = line.partition(" ")
        yield from ((_folded(name), code) for name in names.split("|"))


_BY_NAME = dict(_known())


def country_code(name: str | None) -> str | None:
    """The two letters of a country that has phone numbers; None when the name is not known."""
    text = _folded(name or "")
    if text.upper() in phonenumbers.SUPPORTED_REGIONS:
        return text.upper()
    return _BY_NAME.get(text)
