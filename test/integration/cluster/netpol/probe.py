"""Runs in each Pod of the NetworkPolicy test: serves on many ports, and dials out when it is told to.

Orders come as HTTP on port 7000, by way of the API server's proxy: from the node to a Pod every policy lets through.
"""

import json
import os
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = os.environ["PROBE_NAME"]
TCP = [80, 81, 8080, 9000, 9005, 9010, 9011]
UDP = [80, 81, 8081]
flows = {}
hammers = {}
tokens = []


def serve_tcp(port):
    server = socket.create_server(("", port), backlog=128)
    while True:
        connection, _ = server.accept()
        threading.Thread(target=echo, args=(connection,), daemon=True).start()


def echo(connection):
    with connection:
        while True:
            try:
                data = connection.recv(4096)
            except OSError:
                return
            if not data:
                return
            connection.sendall(NAME.encode() + b" " + data)


def serve_udp(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("", port))
    while True:
        data, peer = server.recvfrom(4096)
        tokens.append(data.decode(errors="replace"))
        try:
            server.sendto(NAME.encode() + b" " + data, peer)
        except OSError:
            pass


def dial(order):
    """Whether a question sent to host:port comes back with an answer, and whose."""
    host, port, limit = order["host"], order["port"], order["limit"]
    kind = socket.SOCK_STREAM if order["protocol"] == "tcp" else socket.SOCK_DGRAM
    deadline = time.monotonic() + limit
    try:
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(limit)
            client.connect((host, port))
            if order.get("silent"):
                return {"open": True, "answer": ""}
            while True:
                client.send(b"who?")
                client.settimeout(max(0.05, limit / 3 if kind == socket.SOCK_DGRAM else deadline - time.monotonic()))
                try:
                    answer = client.recv(4096).decode()
                    return {"open": answer != "", "answer": answer.split(" ")[0]}
                except TimeoutError:
                    if time.monotonic() >= deadline:
                        return {"open": False, "answer": "no answer"}
    except OSError as error:
        return {"open": False, "answer": str(error)}


def dial_all(orders):
    with ThreadPoolExecutor(max(1, len(orders))) as pool:
        return list(pool.map(dial, orders))


class Flow(threading.Thread):
    """One connection that lives: a numbered message each 50 ms, and what came back."""

    def __init__(self, order):
        super().__init__(daemon=True)
        self.order, self.replies, self.stopped, self.error = order, 0, False, None
        self.longest, self.last = 0.0, time.monotonic()

    def run(self):
        kind = socket.SOCK_STREAM if self.order["protocol"] == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(5)
            client.connect((self.order["host"], self.order["port"]))
            client.setblocking(False)
            number = 0
            while not self.stopped:
                number += 1
                self.quietly(lambda: client.send(f"{number}\n".encode()))
                time.sleep(0.05)
                while self.quietly(lambda: client.recv(65536)):
                    self.replies += 1
                    now = time.monotonic()
                    self.longest = max(self.longest, now - self.last)
                    self.last = now

    def quietly(self, work):
        try:
            return work()
        except OSError as error:
            self.error = str(error)
            return None


class Hammer(threading.Thread):
    """Tries a range of addresses over and over; keeps those that answered."""

    def __init__(self, order):
        super().__init__(daemon=True)
        self.order, self.hits, self.rounds, self.stopped = order, set(), 0, False

    def run(self):
        hosts = self.order["hosts"]
        while not self.stopped:
            clients = []
            for host in hosts:
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                client.setblocking(False)
                try:
                    client.connect((host, self.order["port"]))
                    client.send(b"hammer")
                except OSError:
                    pass
                clients.append((host, client))
            time.sleep(0.01)
            for host, client in clients:
                try:
                    if client.recv(4096):
                        self.hits.add(host)
                except OSError:
                    pass
                client.close()
            self.rounds += 1


def spoof(order):
    """One UDP datagram with a source address that is not ours; needs CAP_NET_RAW."""
    payload = order["token"].encode()
    udp = struct.pack("!HHHH", 5555, order["port"], 8 + len(payload), 0) + payload
    header = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0,
        socket.inet_aton(order["source"]), socket.inet_aton(order["host"]),
    )
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(header + udp, (order["host"], 0))
    return True


def flow(order):
    name = order["id"]
    if order["do"] == "start":
        flows[name] = Flow(order)
        flows[name].start()
    found = flows[name]
    if order["do"] == "stop":
        found.stopped = True
    if order["do"] == "reset":
        found.longest = 0.0
    return {"replies": found.replies, "longest": found.longest, "error": found.error}


def hammer(order):
    name = order["id"]
    if order["do"] == "start":
        hammers[name] = Hammer(order)
        hammers[name].start()
    found = hammers[name]
    if order["do"] == "stop":
        found.stopped = True
    return {"hits": sorted(found.hits), "rounds": found.rounds}


ORDERS = {
    "dial": dial_all,
    "flow": flow,
    "hammer": hammer,
    "spoof": spoof,
    "received": lambda order: tokens.count(order["token"]),
}


class Control(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            status, answer = 200, ORDERS[body["order"]](body["with"])
        except Exception as error:  # told to the test, which fails with it
            status, answer = 500, f"{type(error).__name__}: {error}"
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


for found in TCP:
    threading.Thread(target=serve_tcp, args=(found,), daemon=True).start()
for found in UDP:
    threading.Thread(target=serve_udp, args=(found,), daemon=True).start()
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("", 7000), Control).serve_forever()
