"""The traffic of the limit program by a pool of asyncio workers, one a connection: what a load
generator written in Python's standard library does, and costs.

    python3 pool.py connections=1000 ports=7000,7001 size=64 seconds=3 sources=4

Prints one line in the form of bench/traffic.rs. Ends by itself.
"""

import asyncio
import resource
import sys
import time

WORDS = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
CONNECTIONS = int(WORDS["connections"])
PORTS = [int(port) for port in WORDS["ports"].split(",")]
SIZE = int(WORDS["size"])
SECONDS = float(WORDS["seconds"])
SOURCES = int(WORDS["sources"])
# Attempts under way at once, as in the limit program.
CONNECTING_MAX = 256


class Phase:
    """Counts of one phase, and what the process used in it."""

    def __init__(self):
        self.begun = (time.monotonic(), resource.getrusage(resource.RUSAGE_SELF))

    def end(self, name):
        at, usage = self.begun
        now = resource.getrusage(resource.RUSAGE_SELF)
        wall = time.monotonic() - at
        user, system = now.ru_utime - usage.ru_utime, now.ru_stime - usage.ru_stime
        return f"{name}_wall={wall} {name}_user={user} {name}_system={system}"


async def main():
    places = asyncio.Semaphore(CONNECTING_MAX)
    everybody_in, over = asyncio.Event(), asyncio.Event()
    online, messages, message = 0, 0, b"x" * SIZE

    async def worker(number):
        nonlocal online, messages
        port = PORTS[number % len(PORTS)]
        source = f"127.0.0.{1 + number // len(PORTS) % SOURCES}"
        async with places:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=(source, 0)
            )
        online += 1
        if online == CONNECTIONS:
            everybody_in.set()
        await everybody_in.wait()
        while not over.is_set():
            writer.write(message)
            await reader.readexactly(SIZE)
            messages += 1
        writer.transport.abort()

    phase = Phase()
    workers = [asyncio.create_task(worker(number)) for number in range(CONNECTIONS)]
    await everybody_in.wait()
    connect, phase = phase.end("connect"), Phase()
    await asyncio.sleep(SECONDS)
    counted, hold = messages, phase.end("hold")
    print(f"connections={online} {connect} messages={counted} {hold}", flush=True)
    over.set()
    await asyncio.wait(workers, timeout=5)


asyncio.run(asyncio.wait_for(main(), timeout=120))
