"""Completion in shells, which call `backprop completion query LINE` with the line up to the cursor."""

import re
import sys
from collections.abc import Callable, Sequence

from pipeline.app.new.study import KINDS
from pipeline.errors import dotted, unknown_key

BASH = r"""
_backprop() {
    local line=${COMP_LINE:0:COMP_POINT}
    local word=${line##*[[:space:]]}
    mapfile -t COMPREPLY < <("$1" completion query "$line" 2>/dev/null)
    word=${word%"${word##*[$COMP_WORDBREAKS]}"}  # what stands before the last = or : is not replaced
    COMPREPLY=("${COMPREPLY[@]#"$word"}")
    if [[ ${COMPREPLY[0]} == *[=./] ]]; then compopt -o nospace; fi
}
complete -F _backprop backprop
"""

ZSH = r"""
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_backprop() {
    local -a replies
    replies=(${(f)"$($words[1] completion query "${words[1,CURRENT-1]} $PREFIX" 2>/dev/null)"})
    compadd -S '' -- ${(M)replies:#*[=./]}
    compadd -- ${replies:#*[=./]}
}
compdef _backprop backprop
"""

FISH = r"""
complete -c backprop -f -a '(backprop completion query (commandline -cp | string collect) 2>/dev/null)'
"""

AXIS = re.compile(r"map\.(across|down)\.key=")
NUMBERS = ("learning_rate", "momentum", "threshold", "initial.range", "initial.scale")  # that may be an axis of a map

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


Weights = Callable[[Sequence[str]], Sequence[str]]  # names of the weights and biases of the network that overrides describe


def completion(arguments: Sequence[str], commands: Sequence[str], weights: Weights) -> int:
    """Prints the script for a shell, or the completions of a line; gives the exit code."""
    match arguments:
        case ["query", line]:
            print("\n".join(complete(line, commands, weights)))
            return 0
        case [shell] if shell in SCRIPTS:
            print(SCRIPTS[shell].strip())
            return 0
        case _:
            word = " ".join(arguments)
            print(f"completion {word}".rstrip() + f": {unknown_key(word, tuple(SCRIPTS), 'shell')}", file=sys.stderr)
            return 2


def complete(line: str, commands: Sequence[str], weights: Weights = lambda overrides: ()) -> list[str]:
    """The completions of the last word of a line: commands, or keys or values of the command before it."""
    before, _, word = line.lstrip().rpartition(" ")
    words = before.split()
    if len(words) < 2:
        return [name for name in (*commands, "new", "completion", "--help", "--version") if name.startswith(word)]
    name, *overrides = words[1:]
    if name == "completion":
        return [shell for shell in SCRIPTS if shell.startswith(word)]
    if name == "new":
        return [kind for kind in KINDS if kind.startswith(word) and not overrides]
    if name not in commands:
        return []
    from hydra._internal.utils import get_args_parser
    from hydra.plugins.completion_plugin import DefaultCompletionPlugin

    from pipeline.app.composition import COMPOSITION_ERRORS, OPEN, loader, with_dots

    if word.startswith("-"):
        return [option for option in get_args_parser()._option_string_actions if option.startswith(word)]
    try:
        if axis := AXIS.match(word):  # its value is a key
            keys = [*NUMBERS, *(f"{section}{name}" for section in OPEN for name in weights(overrides))]
            return names_that_fit(word, [f"{axis[0]}{key}" for key in keys])
        if open_section := next((section for section in OPEN if word.startswith(section)), None):
            return names_that_fit(word, [f"{open_section}{name}=" for name in weights(overrides)])
        entries = DefaultCompletionPlugin(loader())._query(config_name=name, line=" ".join([*map(with_dots, overrides), word]))
    except COMPOSITION_ERRORS:
        return []
    return [entry for entry in entries if entry.startswith(word)]


def names_that_fit(word: str, names: Sequence[str]) -> list[str]:
    """Those that a word begins; addresses of weights only where no other name fits, with brackets if the word has one."""
    fitting = [name for name in names if name.startswith(word) and "[" not in name]
    return fitting or [name for name in (names if "[" in word else map(dotted, names)) if name.startswith(word)]
