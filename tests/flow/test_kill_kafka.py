#!/usr/bin/env python3
"""kill -9 of each process at random moments while 5,000 events/s flow, and of the broker, on real Kafka."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from broker import Broker, why_not  # noqa: E402
from flow import LONG, House, case, done, need_binary, note, skip  # noqa: E402
from kills import Campaign, clean_run, judge, settled_ids  # noqa: E402

SEED = int(os.environ.get("TOCSIN_SEED", "1"))
SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s",
            # a member that was killed is missed by its group for this long
            "bus.kafka.properties.session.timeout.ms=1500",
            "bus.kafka.properties.heartbeat.interval.ms=300")


def outage(broker):
    note("the broker is killed; 5 s later it comes back")
    broker.do("kill")
    time.sleep(5)
    started = broker.do("start")
    case("the broker is back", started.returncode == 0, started.stderr)


def campaign(broker, where, kills, assign, middle, clean):
    with House(settings=(*SETTINGS, f"bus.kafka.assign={assign}"), kafka=broker.address) as house:
        run = Campaign(house, kills, 5500, SEED, ["collect", "correlate", "correlate", "store"])
        run.run(middle)
        quiet, state = run.settle(90)
        case(f"{where}: everything under way ends", quiet, state, house.log())
        alerts = judge(run, where)
        case(f"{where}: no evidence is missing", run.counters["store.evidence_missing"] == 0)
        house.stop()
        if clean:
            clean_run(house, SETTINGS[:4], alerts, where)
        return run.counters


def main():
    need_binary()
    why = why_not()
    if why:
        skip("kills on real Kafka", why)
        done()
        return
    with Broker() as broker:
        counters = campaign(broker, "Kafka, static, an outage", 600 if LONG else 30, "static",
                            lambda: outage(broker), True)
        counters += campaign(broker, "Kafka, group", 400 if LONG else 20, "group", None, False)
        case("resends from the outbox did occur, and were recognised as repeats",
             counters["correlate.resent"] > 0 and
             counters["correlate.detection_repeats"] + counters["store.repeats"] > 0, dict(counters))
    done()


main()
