"""Which octets go over which subflow, and when: a list of steps in the order of sending, as JSON or made by split()."""
import random
import time
from dataclasses import dataclass, fields

from lab.raw import forgery


@dataclass
class Step:
    """`offset` is a place in the stream (else: behind the step before). The same offset on another subflow is a reinjection, and with other octets a conflict."""
    subflow: int = 0
    offset: int | None = None
    text: str | None = None
    hex: str | None = None
    delay_ms: int = 0             # waits so long before
    late: int = 0                 # takes its place on the subflow now, and is sent after so many further steps
    duplicate: int = 0            # the same segments so many times more
    lose: bool = False            # takes its place and is never sent: the subflow has a hole from then on
    wait: bool = False            # until the subflow has acknowledged it
    spoil_checksum: bool = False  # of the DSS
    forge: str | None = None      # no octets: one of forgery.KINDS

    def data(self):
        return bytes.fromhex(self.hex) if self.hex is not None else (self.text or "").encode()


def parse(steps):
    known = {one.name for one in fields(Step)}
    made = []
    for number, table in enumerate(steps, 1):
        if unknown := sorted(set(table) - known):
            raise ValueError(f"step {number}: unknown key {unknown[0]}; there are {', '.join(sorted(known))}")
        made.append(Step(**table))
        if made[-1].forge not in (None, *forgery.KINDS):
            raise ValueError(f"step {number}: forge is one of {', '.join(forgery.KINDS)}")
    return made


def split(data, subflows, piece=1, start=0, order="forward", seed=0, **each):
    """`data` in pieces, in turn over all subflows; `order` is that of sending: forward, backward, shuffled. `each`: more for every step."""
    steps = [Step(subflow=number % subflows, offset=start + at, hex=data[at:at + piece].hex(), **each) for number, at in enumerate(range(0, len(data), piece))]
    if order == "backward":
        steps.reverse()
    elif order == "shuffled":
        random.Random(seed).shuffle(steps)
    return steps


def perform(connection, steps, stranger=None):
    """Sends it all. Gives the time (of the clock) at which the last octets left."""
    following, waiting, last = connection.end, [], time.time()
    for step in steps:
        if step.delay_ms:
            connection.host.pump(lambda until=time.monotonic() + step.delay_ms / 1000: time.monotonic() >= until, "the delay")
        sub = connection.subflows[step.subflow]
        if step.forge:
            forgery.perform(connection, sub, step.forge, stranger)
        else:
            data = step.data()
            offset = following if step.offset is None else step.offset
            following = offset + len(data)
            held = connection.send(sub, offset, data, lost=step.lose, spoil_checksum=step.spoil_checksum, hold=step.late > 0)
            last = time.time()
            for _ in range(step.duplicate):
                connection.copy(sub, offset, data)
            if held:
                waiting.append([step.late + 1, held])
        for one in waiting:
            one[0] -= 1
        for one in [one for one in waiting if one[0] <= 0]:
            waiting.remove(one)
            last = release(one[1])
        if step.wait:
            connection.host.pump(lambda: sub.idle or sub.state in ("reset", "failed"), f"subflow {step.subflow} to acknowledge")
        connection.host.pump(lambda: True, None, 0)
    for _, held in waiting:
        last = release(held)
    return last


def release(held):
    for one in held:
        one()
    return time.time()
