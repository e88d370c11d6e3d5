"""The device's side of the adb protocol: packets, streams, shell and file transfer, over one connection.

https://android.googlesource.com/platform/packages/modules/adb/+/HEAD/protocol.txt, SYNC.TXT beside it, and
shell_protocol.h. Everything that is not protocol is in `adb_device.Phone`.
"""

import os
import queue
import re
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

_HEADER = struct.Struct("<4sIIIII")
_MAX_PAYLOAD = 256 * 1024
_STDOUT, _STDERR, _EXIT = 1, 2, 3


class Session:
    """One connection of an adb server: packets in and out, and the streams in them."""

    def __init__(self, phone, connection, banner):
        self.phone = phone
        self._connection = connection
        self._banner = banner
        self._sending = threading.Lock()
        self._streams = {}

    def run(self):
        with suppress(OSError):
            while header := self._receive(_HEADER.size):
                command, first, second, length, _, _ = _HEADER.unpack(header)
                self._take(command, first, second, self._receive(length))
        for stream in self._streams.values():
            stream.close()

    def _receive(self, size):
        data = b""
        while len(data) < size:
            chunk = self._connection.recv(size - len(data))
            if not chunk:
                raise OSError("hung up")
            data += chunk
        return data

    def send(self, command, first, second, data=b""):
        magic = int.from_bytes(command, "little") ^ 0xFFFFFFFF
        with self._sending:
            self._connection.sendall(_HEADER.pack(command, first, second, len(data), sum(data), magic) + data)

    def hang_up(self):
        self._connection.shutdown(socket.SHUT_RDWR)

    def _take(self, command, first, second, data):
        if command in (b"CNXN", b"AUTH"):
            if self.phone.faults.unauthorized:
                if command == b"CNXN" or first == 2:  # the first signature; a public key waits for the user
                    self.send(b"AUTH", 1, 0, os.urandom(20))
            else:
                self.send(b"CNXN", 0x01000000, _MAX_PAYLOAD, self._banner)
        elif command == b"OPEN":
            stream = self._streams[first] = _Stream(self, first)
            self.send(b"OKAY", first, first)
            threading.Thread(target=stream.serve, args=(data.rstrip(b"\0").decode(),), daemon=True).start()
        elif second in self._streams:
            stream = self._streams[second]
            if command == b"OKAY":
                stream.ready.set()
            elif command == b"WRTE":
                stream.incoming.put(data)
                self.send(b"OKAY", second, first)
            elif command == b"CLSE":
                stream.close()
                del self._streams[second]


class _Stream:
    """One service that the server has opened: a shell or a transfer of files."""

    def __init__(self, session, number):
        self._session = session
        self._phone = session.phone
        self._number = number  # the server's, and ours
        self._closed = False
        self._unread = b""
        self.ready = threading.Event()
        self.ready.set()
        self.incoming = queue.Queue()

    def close(self):
        self._closed = True
        self.incoming.put(b"")
        self.ready.set()

    def write(self, data):
        for start in range(0, len(data), _MAX_PAYLOAD):
            self.ready.wait()
            if self._closed:
                raise OSError("closed")
            self.ready.clear()
            self._session.send(b"WRTE", self._number, self._number, data[start : start + _MAX_PAYLOAD])

    def read(self, size):
        while len(self._unread) < size:
            chunk = self.incoming.get()
            if not chunk:
                raise OSError("closed")
            self._unread += chunk
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def serve(self, service):
        with suppress(OSError):
            name, _, argument = service.partition(":")
            if name == "sync":
                self._sync()
            elif name.split(",")[0] == "shell" and ("v2" not in name or "shell_v2" in self._phone.features):
                self._shell(argument, separate="v2" in name)
            self.ready.wait()
            self._session.send(b"CLSE", self._number, self._number)

    def _shell(self, script, separate):
        root, drop = str(self._phone.root), self._phone.faults.drop_running
        mapped = re.sub(r"(?<![\w.])/(data/|sys/|proc/cpuinfo|proc/meminfo)", rf"{root}/\1", script)
        process = subprocess.Popen(
            ["/bin/bash", "-c", mapped],
            env=self._phone.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if separate else subprocess.STDOUT,
            start_new_session=True,
        )
        self._phone.processes.append(process)
        if drop is not None and drop in script:
            time.sleep(0.5)
            self._session.hang_up()

        def forward(kind, pipe):
            with pipe, suppress(OSError):
                while data := pipe.read1(65536).replace(root.encode(), b""):
                    # Before Android 7 there is a terminal in between, with its line ends.
                    header = struct.pack("<BI", kind, len(data))
                    self.write(header + data if separate else data.replace(b"\n", b"\r\n"))

        pipes = [(_STDOUT, process.stdout), (_STDERR, process.stderr)] if separate else [(_STDOUT, process.stdout)]
        readers = [threading.Thread(target=forward, args=pipe, daemon=True) for pipe in pipes]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        code = process.wait()
        if separate:
            self.write(struct.pack("<BIB", _EXIT, 1, code if code >= 0 else 128 - code))

    def _sync(self):
        while True:
            command, length = struct.unpack("<4sI", self.read(8))
            if command == b"QUIT":
                return
            path = self.read(length).decode()
            if command == b"SEND":
                self._take_file(*path.rsplit(",", 1))
            elif command == b"STAT":
                self.write(b"STAT" + struct.pack("<III", *self._status(path)))
            elif command == b"RECV":
                content = (self._phone.root / path.lstrip("/")).read_bytes()
                chunks = [content[start : start + 65536] for start in range(0, len(content), 65536)]
                self.write(b"".join(b"DATA" + struct.pack("<I", len(chunk)) + chunk for chunk in chunks))
                self.write(b"DONE" + struct.pack("<I", 0))
            elif command == b"LIST":
                for file in sorted((self._phone.root / path.lstrip("/")).iterdir()):
                    name = file.name.encode()
                    self.write(b"DENT" + struct.pack("<IIII", *self._status(f"{path}/{file.name}"), len(name)) + name)
                self.write(b"DONE" + bytes(16))

    def _status(self, path):
        file = self._phone.root / path.lstrip("/")
        if not file.exists():
            return 0, 0, 0
        status = file.stat()
        return status.st_mode, status.st_size, int(status.st_mtime)

    def _take_file(self, path, mode):
        faults = self._phone.faults
        self._phone.pushes.append(Path(path).name)
        file = self._phone.root / path.lstrip("/")
        received = 0
        with open(os.devnull, "wb") if faults.refuse_push else file.open("wb") as output:
            while True:
                command, length = struct.unpack("<4sI", self.read(8))
                if command == b"DONE":
                    break
                data = self.read(length)
                received += length
                time.sleep(faults.seconds_per_chunk)
                output.write(bytes([data[0] ^ 1]) + data[1:] if faults.corrupt_push else data)
                if faults.drop_push_after is not None and received >= faults.drop_push_after:
                    self._session.hang_up()
                    raise OSError("hung up")
        if faults.refuse_push:
            reason = faults.refuse_push.encode()
            self.write(b"FAIL" + struct.pack("<I", len(reason)) + reason)
        else:
            file.chmod(int(mode) & 0o777)
            self.write(b"OKAY" + bytes(4))
