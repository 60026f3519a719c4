"""The text form of config protos that tensorflow-serving-api does not ship, checked field by field."""

import re

from tfmmd import checks

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|([A-Za-z_]\w*|-?\d+(?:\.\d+)?|"[^"\n]*"|'[^'\n]*'|[{}:;,])"""  # the first two are skipped
)


def parse(text, schema, *, what):
    """Parses a text proto against a schema.

    Args:
        text: The file's text.
        schema: Field name -> `int`, `str`, `bool`, `[type]` for repeated, or a mapping for a message.
        what: Name of the file in errors.

    Returns:
        A dict of the fields that are set; repeated fields are lists.
    """
    tokens = _tokens(text, what)
    fields, rest = _message(tokens, schema, what)
    if rest:
        _fail(what, f"{rest[0]!r} without an opening brace")
    return fields


def _fail(what, received):
    checks.fail(
        f"{what} must be a text proto of known fields.", received, "See docs/serving.md for its fields."
    )


def _tokens(text, what):
    tokens, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            _fail(what, repr(text[position : position + 20]))
        tokens += [match.group(1)] if match.group(1) else []
        position = match.end()
    return tokens


def _message(tokens, schema, what):
    fields = {}
    while tokens and tokens[0] != "}":
        name, *tokens = tokens
        if name in ",;":
            continue
        if name not in schema:
            _fail(what, f"no field named {name!r}; fields: {sorted(schema)}")
        value, tokens = _value(name, tokens, schema[name], what)
        if isinstance(schema[name], list):
            fields.setdefault(name, []).append(value)
        elif name in fields:
            _fail(what, f"field {name!r} twice")
        else:
            fields[name] = value
    return fields, tokens


def _value(name, tokens, kind, what):
    tokens = tokens[1:] if tokens[:1] == [":"] else tokens
    if isinstance(kind, dict):
        if tokens[:1] != ["{"]:
            _fail(what, f"field {name!r} without a message in braces")
        value, tokens = _message(tokens[1:], kind, what)
        if tokens[:1] != ["}"]:
            _fail(what, f"field {name!r} without a closing brace")
        return value, tokens[1:]
    kind = kind[0] if isinstance(kind, list) else kind
    return _scalar(name, tokens[0] if tokens else "", kind, what), tokens[1:]


def _scalar(name, token, kind, what):
    if kind is bool and token in ("true", "false"):
        return token == "true"
    if kind is int and re.fullmatch(r"-?\d+", token):
        return int(token)
    if kind is str and token[:1] in ("'", '"'):
        return token[1:-1]
    return _fail(what, f"{name}: {token or 'nothing'}, not of type {kind.__name__}")
