"""Somebody is told what a check found: by a command that gets the message on its standard input, or by mail."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage

from pipeline.errors import ConfigError, printable

ADDRESS = re.compile(r"\w[\w.+-]*@\w[\w.-]*")
MAIL_FOLDERS = ("/usr/sbin", "/usr/lib", "/sbin")  # where sendmail is, beside PATH
SECONDS = 60  # that a command may take
ALLOWED = "must be a mail address, such as me@example.org, or a command with its arguments"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A command, in words; of a mail address that is the system's mail program."""

    words: Sequence[str]
    address: str | None = None


def read_recipient(value: object) -> Recipient | None:
    """What `notify` names; None where it is null. Raises ConfigError where that cannot be called."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:
            raise ConfigError("notify", value, f"{ALLOWED}: {str(error).lower()}") from None
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = list(value)
    else:
        raise ConfigError("notify", value, ALLOWED)
    if not words or not words[0] or any("\0" in word for word in words):
        raise ConfigError("notify", value, ALLOWED)
    if len(words) == 1 and ADDRESS.fullmatch(words[0]):
        program = shutil.which("sendmail", path=os.pathsep.join((os.environ.get("PATH", os.defpath), *MAIL_FOLDERS)))
        if program is None:
            raise ConfigError(
                "notify", value, "needs the system's mail program, sendmail, which is not here; or give a command"
            )
        return Recipient((program, "-i", "--", words[0]), words[0])
    if shutil.which(words[0]) is None:
        raise ConfigError("notify", value, f"{ALLOWED}; there is no program {words[0]}")
    return Recipient(words)


def send(recipient: Recipient, subject: str, text: str) -> str | None:
    """Hands a message over; gives the reason where that fails. No shell sees any of it."""
    subject, text = printable(subject), printable(text, lines=True)
    content = mail(recipient.address, subject, text) if recipient.address else f"{subject}\n\n{text}\n".encode()
    try:
        ended = subprocess.run(recipient.words, input=content, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{recipient.words[0]} took longer than {SECONDS} s"
    except OSError as error:
        return f"{recipient.words[0]}: {error.strerror}"
    return f"{recipient.words[0]} ended with exit code {ended.returncode}" if ended.returncode else None


def mail(address: str, subject: str, text: str) -> bytes:
    """A message as sendmail takes it, which adds who it is from."""
    message = EmailMessage()
    message["To"], message["Subject"], message["Auto-Submitted"] = address, subject, "auto-generated"
    message.set_content(text)
    return bytes(message)
