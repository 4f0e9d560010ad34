#!/usr/bin/env python3
"""Talks to a VM's sockets: QMP (QEMU itself) and the guest agent (inside the guest).

usage: qmp.py qmp    SOCKET COMMAND [ARGUMENTS-JSON]   one QMP command; prints its return
       qmp.py agent  SOCKET COMMAND [ARGUMENTS-JSON]   one guest agent command
       qmp.py sh     SOCKET SCRIPT                     runs SCRIPT in the guest, with its exit code
       qmp.py start  SOCKET SCRIPT                     the same without waiting for its end
       qmp.py events SOCKET [NAME]                     prints events, until NAME if given

Options: --timeout SECONDS (default 5; 0 for ever with events). Exit code 1 with a reason
on stderr when the other side is silent, refuses or answers with an error.
"""
import base64
import json
import socket
import sys
import time


class Silent(Exception):
    """The other side did not answer as it should."""


class Lines:
    """JSON lines over a unix socket, with one deadline for everything."""

    def __init__(self, path, timeout):
        self.deadline = time.monotonic() + timeout if timeout else None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.buffer = b""
        self.limit()
        self.socket.connect(path)

    def limit(self):
        if self.deadline is None:
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self.socket.settimeout(left)

    def send(self, message, prefix=b""):
        self.limit()
        self.socket.sendall(prefix + json.dumps(message).encode() + b"\n")

    def until(self, mark):
        while mark not in self.buffer:
            self.limit()
            more = self.socket.recv(65536)
            if not more:
                raise Silent("the connection was closed")
            self.buffer += more
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def read(self):
        return json.loads(self.until(b"\n"))

    def call(self, command, arguments=None):
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self.send(message)
        while True:
            answer = self.read()
            if "error" in answer:
                raise Silent(answer["error"]["desc"])
            if "return" in answer:
                return answer["return"]


def qmp(path, timeout):
    lines = Lines(path, timeout)
    lines.read()  # the greeting; a second client on one socket never gets it
    lines.call("qmp_capabilities")
    return lines


def agent(path, timeout):
    # 0xFF makes the agent drop what it has half read (it answers that with an error), and
    # it puts one before its own answer: all that is older is skipped with it.
    lines = Lines(path, timeout)
    token = time.monotonic_ns() % 2**31
    lines.send({"execute": "guest-sync-delimited", "arguments": {"id": token}}, prefix=b"\xff")
    while True:
        lines.until(b"\xff")
        if lines.read().get("return") == token:
            return lines


def start(lines, script):
    return lines.call(
        "guest-exec",
        {"path": "/bin/sh", "arg": ["-c", script], "capture-output": True},
    )["pid"]


def finish(lines, pid):
    while True:
        status = lines.call("guest-exec-status", {"pid": pid})
        if status["exited"]:
            for name, stream in (("out-data", sys.stdout), ("err-data", sys.stderr)):
                stream.write(base64.b64decode(status.get(name, "")).decode(errors="replace"))
            return status.get("exitcode", 128 + status.get("signal", 0))
        time.sleep(0.1)


def show_events(lines, name):
    while True:
        message = lines.read()
        if "event" in message:
            print(json.dumps(message), flush=True)
            if message["event"] == name:
                return


def main(words):
    timeout = 5.0
    if "--timeout" in words:
        at = words.index("--timeout")
        timeout = float(words[at + 1])
        del words[at : at + 2]
    if "-h" in words or "--help" in words or len(words) < 2:
        print(__doc__.strip())
        return 0 if words else 2
    kind, path, *rest = words
    if kind == "events":
        show_events(qmp(path, timeout), rest[0] if rest else None)
    elif kind in ("qmp", "agent"):
        lines = (qmp if kind == "qmp" else agent)(path, timeout)
        arguments = json.loads(rest[1]) if len(rest) > 1 else None
        print(json.dumps(lines.call(rest[0], arguments)))
    elif kind == "sh":
        lines = agent(path, timeout)
        return finish(lines, start(lines, rest[0]))
    elif kind == "start":
        start(agent(path, timeout), rest[0])
    else:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Silent, OSError, ValueError) as reason:
        print(f"qmp.py: {reason}", file=sys.stderr)
        sys.exit(1)
