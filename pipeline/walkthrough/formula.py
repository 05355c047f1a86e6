"""The formulas of a walk, read as trees, and written as they were, as LaTeX and as MathML.

The words are those of `text.py`: names (`net h1`, `w5`, `E total`, `new w5`), derivatives (`∂E/∂w5`), numbers, + - × =, a
fraction ` / `, brackets, squares, exp, tanh and max; `sum of … over … patterns`; `(65 terms)`; a case, `1 if … > 0, else 0`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = ("net", "out", "target")  # of names that have a unit as index
LETTERS = {"α": r"\alpha", "η": r"\eta"}
SIGNS = {"×": r"\times", "+": "+", "-": "-", ">": ">", ",": ",", "…": r"\dots"}
FUNCTIONS = ("exp", "tanh", "max")
NAME = r"(?:new )?(?:(?:net|out|target) \w+|E total|E \w+|E\b|[wbiov]\d+(?:_\d+)?|v\b|[αη])"
TOKEN = re.compile(
    rf"∂(?P<top>{NAME})/∂(?P<bottom>{NAME})|sum of (?P<summed>.+) over (?P<patterns>[\d,]+) patterns"
    rf"|\((?P<terms>[\d,]+) terms\)|(?P<function>{'|'.join(FUNCTIONS)})\(|(?P<number>\d[\d.]*(?:e[+-]?\d+)?|inf|nan|½)"
    rf"|(?P<word>if|else)\b|(?P<name>{NAME})|(?P<sign>[-+×>,…])|(?P<bracket>[()])|(?P<square>²)|(?P<over>/)"
)


@dataclass(frozen=True)
class Name:
    """A quantity: its letter or word, its index, and whether it is the new one, after the update."""

    letter: str
    index: str
    new: bool


@dataclass(frozen=True)
class Derivative:
    """∂ top ÷ ∂ bottom."""

    top: Name
    bottom: Name


@dataclass(frozen=True)
class Number:
    """A number without its sign, as it is written."""

    text: str


@dataclass(frozen=True)
class Sign:
    """An operator, a comma, or … for what is left out."""

    text: str


@dataclass(frozen=True)
class Words:
    """Words in a formula."""

    text: str


@dataclass(frozen=True)
class Sum:
    """The sum of something over so many patterns."""

    of: Derivative | Name
    patterns: str


@dataclass(frozen=True)
class Bracket:
    """What is in brackets, after the name of a function, or of none; squared, or not."""

    function: str
    inside: "tuple[Part, ...]"
    squared: bool = False


@dataclass(frozen=True)
class Fraction:
    """A number over a bracket."""

    top: Number
    bottom: Bracket


Part = Name | Derivative | Number | Sign | Words | Sum | Bracket | Fraction


def read(text: str) -> tuple[Part, ...]:
    """The parts of a formula. Raises ValueError where it is none."""
    tokens, at = [], 0
    while at < len(text):
        if text[at] == " ":
            at += 1
            continue
        token = TOKEN.match(text, at)
        if token is None:
            raise ValueError(f"{text!r} is no formula from {text[at:]!r} on")
        tokens.append(token)
        at = token.end()
    parts = row(iter(tokens))
    if written(parts) != text.replace(" ", ""):
        raise ValueError(f"{text!r} is no formula: a bracket has no other one")
    return parts


def row(tokens: Iterator[re.Match[str]]) -> tuple[Part, ...]:
    """The parts up to the end, or to the bracket that closes."""
    parts: list[Part] = []
    for token in tokens:
        kind, text = token.lastgroup or "", token.group()
        if kind == "square":
            bracket = parts.pop()
            assert isinstance(bracket, Bracket)
            parts.append(Bracket(bracket.function, bracket.inside, squared=True))
        elif kind == "over":
            top, [bottom] = parts.pop(), read_bracket(tokens)
            assert isinstance(top, Number)
            parts.append(Fraction(top, bottom))
        elif kind == "function" or text == "(":
            parts.append(Bracket(token["function"] or "", row(tokens)))
        elif text == ")":
            break
        else:
            parts.append(atom(token, kind))
    return tuple(parts)


def read_bracket(tokens: Iterator[re.Match[str]]) -> list[Bracket]:
    """The bracket that comes next."""
    opening = next(tokens)
    return [Bracket("", row(tokens))] if opening.group() == "(" else []


def atom(token: re.Match[str], kind: str) -> Part:
    """A part that has no formula in it."""
    if kind == "bottom":
        return Derivative(name(token["top"]), name(token["bottom"]))
    if kind == "patterns":
        [of] = read(token["summed"])
        assert isinstance(of, Derivative | Name)
        return Sum(of, token["patterns"])
    if kind == "terms":
        return Words(f"({token['terms']} terms)")
    if kind == "number":
        return Number(token.group())
    if kind == "word":
        return Words(token.group())
    return name(token.group()) if kind == "name" else Sign(token.group())


def name(text: str) -> Name:
    """A name in its parts."""
    new, plain = text.startswith("new "), text.removeprefix("new ")
    letter, _, index = plain.partition(" ")
    return Name(letter, index, new) if index or len(plain) == 1 else Name(plain[0], plain[1:], new)


# LaTeX


def latex(parts: tuple[Part, ...]) -> str:
    """A formula as LaTeX."""
    return " ".join(map(latex_of, parts))


def latex_of(part: Part) -> str:
    """A part as LaTeX."""
    match part:
        case Name(letter, index, new):
            symbol = rf"\mathrm{{{letter}}}" if letter in KINDS else LETTERS.get(letter, letter)
            plain = index if index.isdigit() else rf"\mathrm{{{index.replace('_', ',')}}}"
            return symbol + (f"_{{{plain}}}" if index else "") + (r"^{\mathrm{new}}" if new else "")
        case Derivative(top, bottom):
            return rf"\frac{{\partial {latex_of(top)}}}{{\partial {latex_of(bottom)}}}"
        case Number(text):
            mantissa, _, exponent = text.partition("e")
            ten = rf" \cdot 10^{{{int(exponent)}}}" if exponent else ""
            return {"½": r"\tfrac{1}{2}", "inf": r"\infty", "nan": r"\mathrm{nan}"}.get(text, mantissa + ten)
        case Sign(text):
            return SIGNS[text]
        case Words(text):
            return rf"\;\text{{{text}}}\;"
        case Sum(of, patterns):
            return rf"\sum_{{\text{{{patterns} patterns}}}} {latex_of(of)}"
        case Bracket(function, inside, squared):
            called, power = "\\" + function if function else "", "^{2}" if squared else ""
            return rf"{called}\left( {latex(inside)} \right){power}"
        case Fraction(top, bottom):
            return rf"\frac{{{latex_of(top)}}}{{{latex(bottom.inside)}}}"


# MathML


def mathml(parts: tuple[Part, ...]) -> str:
    """A formula as the content of a MathML element; it holds no text from outside, so nothing in it is escaped."""
    return "".join(map(mathml_of, parts))


def mathml_of(part: Part) -> str:
    """A part as MathML."""
    match part:
        case Name():
            return mathml_name(part)
        case Derivative(top, bottom):
            return f"<mfrac>{differential(top)}{differential(bottom)}</mfrac>"
        case Number(text):
            return mathml_number(text)
        case Sign(text):
            return f"<mo>{text.replace('-', '−').replace('>', '&gt;')}</mo>"
        case Words(text):
            return f"<mspace width='0.4em'/><mtext>{text}</mtext><mspace width='0.4em'/>"
        case Sum(of, patterns):
            return f"<munder><mo>∑</mo><mtext>{patterns} patterns</mtext></munder>{mathml_of(of)}"
        case Bracket(function, inside, squared):
            called = f"<mi>{function}</mi><mo>&#x2061;</mo>" if function else ""  # an operator that is not seen
            grows = "true" if any(isinstance(part, Derivative | Fraction) for part in inside) else "false"
            opening, closing = (f"<mo stretchy='{grows}'>{bracket}</mo>" for bracket in "()")
            whole = (
                f"<mrow>{called}{opening}<mrow>{mathml(inside)}</mrow>{closing}</mrow>"  # a row of its own: a first − is a sign
            )
            return f"<msup>{whole}<mn>2</mn></msup>" if squared else whole
        case Fraction(top, bottom):
            return f"<mfrac>{mathml_of(top)}<mrow>{mathml(bottom.inside)}</mrow></mfrac>"


def mathml_name(part: Name) -> str:
    """A name with its index below and `new` above."""
    letter = f"<mi>{part.letter}</mi>"
    index = f"<mn>{part.index}</mn>" if part.index.isdigit() else f"<mi>{part.index.replace('_', ',')}</mi>"
    if part.new:
        return f"<msubsup>{letter}{index}<mi>new</mi></msubsup>" if part.index else f"<msup>{letter}<mi>new</mi></msup>"
    return f"<msub>{letter}{index}</msub>" if part.index else letter


def differential(part: Name) -> str:
    """∂ name."""
    return f"<mrow><mi>∂</mi>{mathml_name(part)}</mrow>"


def mathml_number(text: str) -> str:
    """A number, with a power of ten where it has one."""
    if text == "½":
        return "<mfrac><mn>1</mn><mn>2</mn></mfrac>"
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return f"<mn>{text.replace('inf', '∞')}</mn>"
    sign, size = ("<mo>−</mo>" if int(exponent) < 0 else ""), abs(int(exponent))
    return f"<mn>{mantissa}</mn><mo>·</mo><msup><mn>10</mn><mrow>{sign}<mn>{size}</mn></mrow></msup>"


# As it was


def written(parts: tuple[Part, ...]) -> str:
    """A formula as it was read, but for spaces."""
    return "".join(map(written_of, parts))


def written_of(part: Part) -> str:
    """A part as it was read, without spaces."""
    match part:
        case Name(letter, index, new):
            return f"{'new' if new else ''}{letter}{index}"
        case Derivative(top, bottom):
            return f"∂{written_of(top)}/∂{written_of(bottom)}"
        case Number(text) | Sign(text):
            return text
        case Words(text):
            return text.replace(" ", "")
        case Sum(of, patterns):
            return f"sumof{written_of(of)}over{patterns}patterns"
        case Bracket(function, inside, squared):
            return f"{function}({written(inside)}){'²' if squared else ''}"
        case Fraction(top, bottom):
            return f"{written_of(top)}/{written_of(bottom)}"


def pieces(parts: tuple[Part, ...]) -> list[tuple[Part, ...]]:
    """The parts cut before each + and - between two terms, where a line may end."""
    found: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Sign) and part.text in "+-" and found[-1]:
            found.append([])
        found[-1].append(part)
    return [tuple(piece) for piece in found]
