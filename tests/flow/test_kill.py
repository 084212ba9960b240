#!/usr/bin/env python3
"""kill -9 of each process at random moments while 5,000 events/s flow, on the local bus."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from flow import LONG, House, case, done, need_binary  # noqa: E402
from kills import Campaign, clean_run, judge  # noqa: E402

KILLS = 1000 if LONG else 50
SEED = int(os.environ.get("TOCSIN_SEED", "1"))
SETTINGS = ("correlate.lateness=2s", "correlate.idle=5s", "correlate.snapshot=1s", "collector.tick=1s")


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
        clean_run(house, SETTINGS, alerts, "local bus")
    done()


main()
