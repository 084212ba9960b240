#!/usr/bin/env python3
"""kill -9 of each process at random moments while 5,000 events/s flow, on the local bus."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, House, case, done, need_binary, note, wait_for  # noqa: E402
from kills import Campaign, bus_truth, found, judge, settled_ids  # noqa: E402

KILLS = 1000 if LONG else 50
SEED = int(os.environ.get("TOCSIN_SEED", "1"))
SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s")


def clean_run(house):
    """Correlate and store once more, uninterrupted, over the events that the campaign left."""
    with House(settings=SETTINGS) as clean:
        shutil.copytree(os.path.join(house.path, "bus"), os.path.join(clean.path, "bus"))
        for topic in ("detections", "alerts"):
            shutil.rmtree(os.path.join(clean.path, "bus", topic))
        for name in os.listdir(os.path.join(clean.path, "bus", "events")):
            if name.startswith("correlate."):  # how far the group has read
                os.remove(os.path.join(clean.path, "bus", "events", name))
        shutil.copy(os.path.join(house.path, "site.key"), clean.path)
        for name in ("store", "correlate", "collect"):
            clean.start(name)
        wait_for(lambda: len(clean.status()) == 3, 30)
        events = sum(bus_truth(house)[1].values())
        clean.drained(120, events)
        wait_for(lambda: clean.status()["correlate"]["details"]["pending"] == 0, 60, 0.3)
        wait_for(lambda: all(a["status"] == "settled" for a in clean.alerts()), 30, 0.5)
        return found(clean.alerts())


def main():
    need_binary()
    with House(settings=SETTINGS) as house:
        campaign = Campaign(house, KILLS, 5500, SEED, ["collect", "correlate", "correlate", "store"])
        campaign.run()
        quiet, state = campaign.settle()
        case("everything under way ends", quiet, state, house.log())
        alerts = judge(campaign, "local bus")
        case("resends from the outbox did occur", campaign.counters["correlate.resent"] > 0,
             dict(campaign.counters))
        case("and were recognised as repeats",
             campaign.counters["correlate.detection_repeats"] + campaign.counters["store.repeats"] > 0,
             dict(campaign.counters))
        case("no evidence is missing", campaign.counters["store.evidence_missing"] == 0)
        house.stop()
        clean = clean_run(house)
        note(f"uninterrupted run over the same bus: {len(clean)} alerts")
        case("an uninterrupted run over the same bus gives the same settled ids",
             settled_ids(clean) == settled_ids(alerts),
             f"only clean: {sorted(set(settled_ids(clean)) - set(settled_ids(alerts)))[:5]}",
             f"only killed: {sorted(set(settled_ids(alerts)) - set(settled_ids(clean)))[:5]}")
    done()


main()
