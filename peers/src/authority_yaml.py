"""What PyYAML, by which apolo-flow reads its files, makes of a text: its nodes, or that it is refused."""

from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import Resolver
from yaml.scanner import Scanner

PREFIX = "tag:yaml.org,2002:"


class Loader(Reader, Scanner, Parser, Composer, SafeConstructor, Resolver):
    def __init__(self, text):
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)


def form(loader, node):
    if isinstance(node, ScalarNode):
        # Some texts look like a type and cannot be one.
        loader.construct_object(node)
        tag = node.tag.replace(PREFIX, "")
        # Where nothing stands, no place is said: it may be that of the next token.
        empty = node.start_mark.index == node.end_mark.index
        return [tag, node.value] if empty else [tag, node.value, node.start_mark.index]
    if isinstance(node, MappingNode):
        return ["map", [[form(loader, key), form(loader, value)] for key, value in node.value]]
    return ["seq", [form(loader, item) for item in node.value]]


def read(text):
    try:
        loader = Loader(text)
        node = loader.get_single_node()
        return {"root": None if node is None else form(loader, node)}
    except Exception as error:
        return {"refused": f"{type(error).__name__}: {error}"[:300]}


def op_yaml(request):
    return [read(text) for text in request["texts"]]


OPS = {"yaml": op_yaml}
