"""Descriptions of the little CRM as a user writes them, for each way to keep tags and notes."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import indent

from tests.adapters.rest.little_server import Behaviour

BASE = """\
rest: 1
name: Little CRM
settings:
  url: {label: address of the server}
server: {url: "{{ url }}/api"}
identity:
  call: {path: /me}
  id: "{{ answer.organisation }}"
  name: Little CRM
  user_id: "{{ answer.user.id }}"
  user_name: "{{ answer.user.name }}"
errors:
  code: [error.code]
  codes: {MOVED: conflict}
objects:
  customers:
    fields:
      name: {type: text, writable: true}
      status: {type: choice, writable: true, options: [active, void]}
      owner: {type: reference, writable: true, write: "{{ value | int }}"}
      size: {type: integer, writable: true}
      tags: tags
      remark: {type: text, writable: true}
      updated: datetime
    modified: {path: updated, as: epoch_milliseconds}
    version: rev
    list:
      path: /customers
      params: {after: "{{ last }}", limit: "{{ limit }}"}
      rows: items
      page_size: 3
      paging: {kind: keyset}
    changes:
      params: {since: "{{ since | epoch_ms }}"}
    deleted:
      path: /deleted
      params: {since: "{{ since | epoch_ms }}"}
      rows: items
"""
MANY = """\
read:
  many: {path: /customers, params: {ids: "{{ ids }}"}}
  rows: items
  batch: 5
"""
ONE = """\
read:
  one: {path: "/customers/{{ id }}"}
  row: item
"""
SOFT = """\
  tombstone: {path: deleted_at, filled: true}
"""
ETAG = """\
version_header: ETag
"""
UPDATE = """\
owner: owner
update: {method: PATCH, path: "/customers/{{ id }}", json: "{{ fields }}"}
"""
BATCH = """\
batch:
  method: POST
  path: /batch
  size: 4
  json: {requests: "{{ items }}"}
  item: {id: "{{ id }}", body: "{{ fields }}"}
  results: responses
  result: {status: status, code: body.error.code, body: body}
"""
GUARDED_BATCH = BATCH.replace(
    'body: "{{ fields }}"}', 'body: "{{ fields }}", headers: {If-Match: \'"{{ version }}"\'}}'
)
IF_MATCH = """\
locking: {headers: {If-Match: '"{{ version }}"'}}
"""
IF_MATCH_AS_SHOWN = """\
locking: {headers: {If-Match: "{{ version }}"}}
"""
IF_MATCH_WHEN_ASKED = """\
locking: {headers: {If-Match: '"{{ version }}"'}, always: false}
"""
REV = """\
locking: {json: {rev: "{{ version | int }}"}}
"""
ARRAY = """\
tags: {model: list, field: tags}
"""
OBJECTS = """\
tags: {model: list, field: tags, of: label}
"""
TEXT = """\
tags: {model: list, field: tags, separator: ","}
"""
CATALOGUE = """\
  names:
    list: {path: /tags}
    name: label
    create: {method: POST, path: /tags, json: {label: "{{ name }}"}}
    created: id
"""
COMMANDS = f"""\
tags:
  model: commands
  field: tags
  add: [add, "{{{{ tag_id }}}}"]
  remove: [remove, "{{{{ tag_id }}}}"]
{CATALOGUE}"""
LINKS = f"""\
tags:
  model: links
  field: tags
  add: {{method: PUT, path: "/customers/{{{{ id }}}}/tags/{{{{ tag_id }}}}"}}
  remove: {{method: DELETE, path: "/customers/{{{{ id }}}}/tags/{{{{ tag_id }}}}"}}
{CATALOGUE}"""
NAMED_LINKS = """\
tags:
  model: links
  list: {path: "/customers/{{ id }}/tags"}
  of: label
  add: {method: PUT, path: "/customers/{{ id }}/tags/{{ tag }}"}
  remove: {method: DELETE, path: "/customers/{{ id }}/tags/{{ tag }}"}
"""
NOTES = """\
notes:
  model: records
  create: {method: POST, path: /notes, json: {customer: "{{ id }}", text: "{{ text }}"}}
  created: id
  find: {path: /notes, params: {customer: "{{ id }}", like: "{{ marker }}"}, rows: notes}
  text: "{{ note.text }}"
  update: {method: PATCH, path: "/notes/{{ note_id }}", json: {text: "{{ text }}"}}
  remove: {method: DELETE, path: "/notes/{{ note_id }}"}
"""
KEYED = NOTES.replace(
    "method: POST, path: /notes,", 'method: PUT, path: "/notes/hs-{{ marker }}-{{ id }}",'
).replace("model: records", "model: records\n  orphans: true")
FIXED = "".join(line for line in NOTES.splitlines(keepends=True) if "update:" not in line)
BLIND = NOTES.replace("model: records", "model: records\n  lookup: none")
LAGGING = NOTES.replace("model: records", "model: records\n  lookup: lagging\n  lag_seconds: 5")
MANY_NOTES = (
    NOTES
    + """\
  batch:
    method: POST
    path: /notes/batch
    size: 3
    json: {notes: "{{ items }}"}
    item: {customer: "{{ id }}", text: "{{ text }}"}
    results: results
    result: {status: state, ok: [ok], code: error}
"""
)
PAGES = (
    'params: {limit: "{{ limit }}", page: "{{ page }}"}, paging: {kind: page, first: 0}, '
    "page_size: 2, empty: [404]"
)
NOTES_TOGETHER = NOTES.replace(
    'params: {customer: "{{ id }}", like: "{{ marker }}"}',
    PAGES.replace("{limit:", "{customer: \"{{ ids | unique | join(',') }}\", limit:"),
).replace("model: records", 'model: records\n  find_batch: 3\n  customer: "{{ note.customer }}"')
PAGED_COMMANDS = COMMANDS.replace("{path: /tags}", f"{{path: /tags, {PAGES}}}")
JOINED = f"""\
tags:
  model: links
  list: {{path: /links, {PAGES.replace("{limit:", '{customer: "{{ id }}", limit:')}}}
  tag_id: tag
  link_id: link
  add: {{method: POST, path: /links, json: {{customer: "{{{{ id }}}}", tag: "{{{{ tag_id }}}}"}}}}
  remove: {{method: DELETE, path: "/links/{{{{ link_id }}}}"}}
{CATALOGUE}"""
WHOLE = """\
owner: owner
update: {method: PUT, path: "/customers/{{ id }}", json: "{{ record }}"}
"""
REV_OF_ITS_OWN = """\
locking: {json: {rev: "{{ version | int }}"}, version: rev}
"""
REMARK = """\
notes: {model: field, field: remark}
"""


@dataclass(frozen=True)
class Flavour:
    """One server and its description."""

    behaviour: Behaviour
    read: str = MANY
    parts: tuple[str, ...] = (UPDATE, ARRAY, NOTES)

    @property
    def text(self) -> str:
        writes = "writes:\n  customers:\n" + "".join(indent(part, "    ") for part in self.parts)
        return BASE + indent(self.read, "    ") + writes


FLAVOURS = {
    "whole records, links that are records, notes looked for together": Flavour(
        Behaviour(tags="links", whole=True, blank=True, soft=True, version=True),
        ONE + SOFT,
        (WHOLE, JOINED, NOTES_TOGETHER, REV_OF_ITS_OWN),
    ),
    "list of names, note records": Flavour(Behaviour()),
    "list of objects, keyed notes, If-Match, batch": Flavour(
        Behaviour(tags="objects", etag=True, unchecked=True),
        parts=(UPDATE, GUARDED_BATCH, IF_MATCH, OBJECTS, KEYED, "quiet: true\n"),
    ),
    "names in a text, notes in a field, version in the body": Flavour(
        Behaviour(tags="text", version=True), ONE, (UPDATE, TEXT, REMARK, REV)
    ),
    "commands, notes in batches without their ids": Flavour(
        Behaviour(tags="commands", silent=True), parts=(UPDATE, COMMANDS, MANY_NOTES)
    ),
    "links by id, notes that cannot be changed": Flavour(
        Behaviour(tags="links"), ONE, (UPDATE, LINKS, FIXED)
    ),
    "links by name in a list of their own, lagging notes": Flavour(
        Behaviour(tags="links"), parts=(UPDATE, NAMED_LINKS, LAGGING)
    ),
    "notes not to be found, ETag of one record": Flavour(
        Behaviour(etag=True), ONE + ETAG, (UPDATE, ARRAY, BLIND, IF_MATCH_AS_SHOWN)
    ),
    "everything in one batch": Flavour(
        Behaviour(etag=True), parts=(UPDATE, GUARDED_BATCH, IF_MATCH, ARRAY, REMARK)
    ),
    "batches that are all or nothing": Flavour(
        Behaviour(tags="commands", strict_batch=True), parts=(UPDATE, BATCH, COMMANDS, MANY_NOTES)
    ),
    "no tags, no notes, conditions when asked for": Flavour(
        Behaviour(etag=True), parts=(UPDATE, IF_MATCH_WHEN_ASKED)
    ),
}
