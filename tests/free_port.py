#!/usr/bin/env python3
"""Prints a port of the loopback such that it and the next ones (how many: the argument) are free."""
import socket
import sys

count = int(sys.argv[1]) if len(sys.argv) > 1 else 1
for first in range(21000, 60000, 17):
    held = []
    try:
        for port in range(first, first + count):
            link = socket.socket()
            held.append(link)
            link.bind(("127.0.0.1", port))
        print(first)
        break
    except OSError:
        continue
    finally:
        for link in held:
            link.close()
