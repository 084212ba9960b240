#!/usr/bin/env python3
"""The figures of run.sh as one table, under a line about the machine.   bench/table.py FIGURES.jsonl"""
import json
import os
import platform
import statistics
import sys
import tempfile
import time


def cpu_model():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as info:
        for row in info:
            if row.startswith("model name"):
                return row.split(":", 1)[1].strip()
    return platform.machine()


def sync_ms():
    """Median of 50 times 4 KB and fdatasync, where the figures' files lie."""
    times = []
    with tempfile.TemporaryFile() as f:
        for _ in range(50):
            begin = time.monotonic()
            f.write(b"x" * 4096)
            f.flush()
            os.fdatasync(f.fileno())
            times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def rate_row(row):
    spread = f"{row['least']:,.0f}-{row['most']:,.0f}" if "least" in row else ""
    notes = [f"{key.replace('_', ' ')} {value:,}" for key, value in row.items()
             if key not in ("bench", "events_per_cpu_second", "ns_per_event", "least", "most")]
    return (f"{row['bench']:<62}{row['events_per_cpu_second']:>12,}{row['ns_per_event']:>12,.0f}"
            f"{spread:>18}  {'; '.join(notes)}")


def main():
    with open(sys.argv[1], encoding="utf-8") as figures:
        rows = [json.loads(row) for row in figures if row.startswith("{")]
    print(f"{cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}, "
          f"4 KB and fdatasync {sync_ms():.2f} ms, load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':<62}{'per CPU s':>12}{'ns':>12}{'spread, ns':>18}")
    for row in rows:
        if "skipped" in row:
            print(f"{row['bench']:<62}skipped: {row['skipped']}")
        elif "ns_per_event" in row:
            print(rate_row(row))
        else:
            print(f"{row['bench']:<42}" + "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in row.items()
                                                    if k != "bench"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
